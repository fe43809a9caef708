// Where a raw file holds data, as its file system tells it.
#pragma once

#include "cbt/arguments.hpp"
#include "cbt/cancel.hpp"
#include "cbt/range_buffer.hpp"
#include "cbt/status.hpp"

namespace cbt {

// Data by SEEK_DATA and SEEK_HOLE; where the file system cannot tell (EINVAL, ENOTSUP), the whole window. The
// descriptor's file position is put back.
Status scan_file_data(int fd, const ByteWindow& window, const CancelToken& cancel, RangePage& page);

} // namespace cbt

"""A program in Python over ctypes, without any prototype that it could do without: one step a line of its input."""
import ctypes
import json
import os
import sys

lib = ctypes.CDLL(sys.argv[1])
DONE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64)
LOG = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)
lines = []
log = LOG(lambda text, _: lines.append(text.decode()))
for name in ("InitEx", "ConnectEx", "Open", "Read", "Write", "ReadAsync", "Wait", "Close", "Disconnect", "Flush",
             "Clone"):
    getattr(lib, "VixDiskLib_" + name).restype = ctypes.c_uint64
lib.VixDiskLib_GetErrorText.restype = ctypes.c_void_p
connection, disk = ctypes.c_void_p(), ctypes.c_void_p()
buffer = (ctypes.c_uint8 * 65536)()


def text_of(code):
    pointer = lib.VixDiskLib_GetErrorText(ctypes.c_uint64(code), None)
    text = ctypes.string_at(pointer).decode()
    lib.VixDiskLib_FreeErrorText(ctypes.c_void_p(pointer))
    return text


def step(words):
    if words[0] == "init":
        return lib.VixDiskLib_InitEx(8, 0, log, None, None, None, None)
    if words[0] == "open":
        code = lib.VixDiskLib_ConnectEx(None, 0, None, None, ctypes.byref(connection))
        return code or lib.VixDiskLib_Open(connection, words[1].encode(), 0, ctypes.byref(disk))
    if words[0] == "read":
        code = lib.VixDiskLib_Read(disk, ctypes.c_uint64(int(words[1])), ctypes.c_uint64(128), buffer)
        return code if code else "bytes %d" % buffer[0]
    if words[0] == "write":
        ctypes.memset(buffer, int(words[2]), len(buffer))
        return lib.VixDiskLib_Write(disk, ctypes.c_uint64(int(words[1])), ctypes.c_uint64(128), buffer)
    if words[0] == "text":
        return text_of(int(words[1]))
    if words[0] == "connect":
        spec, server = (word.encode() for word in words[1:])
        params = (ctypes.c_char_p * 16)(spec, server)
        return lib.VixDiskLib_ConnectEx(params, 1, b"snapshot-1", None, ctypes.byref(connection))
    if words[0] == "fork":
        pid = os.fork()
        if pid == 0:
            code = lib.VixDiskLib_Read(disk, ctypes.c_uint64(0), ctypes.c_uint64(128), buffer)
            os._exit(0 if code == 16001 else 1)
        return os.waitpid(pid, 0)[1]
    if words[0] == "flush":
        return lib.VixDiskLib_Flush(disk)
    if words[0] == "worker":
        # Has copies of all that is open, and ends when we do.
        ours, theirs = os.pipe()
        if os.fork() == 0:
            os.close(theirs)
            os.read(ours, 1)
            os._exit(0)
        os.close(ours)
        return "worker"
    if words[0] == "clone":
        source, target = (word.encode() for word in words[1:])
        lib.VixDiskLib_ConnectEx(None, 0, None, None, ctypes.byref(connection))
        params = (ctypes.c_uint32 * 8)(1)
        return lib.VixDiskLib_Clone(connection, target, connection, source, params, None, None, 1)
    if words[0] == "callback":
        told = []

        def done(_, code):
            told.extend([code, lib.VixDiskLib_Wait(disk), lib.VixDiskLib_Close(disk)])
            told.append(lib.VixDiskLib_InitEx(8, 0, log, None, None, None, None))
            lib.VixDiskLib_Exit()

        callback = DONE(done)
        began = lib.VixDiskLib_ReadAsync(disk, ctypes.c_uint64(0), ctypes.c_uint64(128), buffer, callback, None)
        return [began, lib.VixDiskLib_Wait(disk)] + told
    if words[0] == "close":
        return "%d %d" % (lib.VixDiskLib_Close(disk), lib.VixDiskLib_Disconnect(connection))
    if words[0] == "log":
        return "|".join(lines)
    lib.VixDiskLib_Exit()
    return "exit"


for line in sys.stdin:
    print(json.dumps(step(line.split())), flush=True)

# The same addons by node-gyp. `node scripts/build-native.mjs --gyp` runs it without any download; `npx node-gyp rebuild`
# does too where node-gyp finds headers by itself (nodedir).
{
  'variables': {
    'with_nbd': '<!(pkg-config --exists libnbd 2>/dev/null && echo 1 || echo 0)',
  },
  'target_defaults': {
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++14', '-std=gnu++17', '-std=gnu++20', '-std=c++17'],
    'cflags_cc': ['-std=c++20', '-fexceptions', '-fvisibility=hidden', '-Wall', '-Wextra'],
    'ldflags': ['-pthread'],
    'defines': ['NAPI_VERSION=8', 'NAPI_CPP_EXCEPTIONS', 'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
    'include_dirs': [
      '<!(node -p "require(\'node-api-headers\').include_dir")',
      '<!(node -p "require(\'node-addon-api\').include_dir")',
      'native/include',
    ],
  },
  'targets': [
    {
      'target_name': 'bitmap',
      'sources': ['<!@(cat native/sources.txt native/binding/sources.txt)'],
    },
  ],
  'conditions': [
    ['with_nbd==1', {
      'targets': [
        {
          'target_name': 'nbd',
          'sources': [
            '<!@(cat native/nbd/sources.txt native/nbd/binding/sources.txt)',
            'native/src/arguments.cpp',
            'native/src/range_buffer.cpp',
            'native/src/status.cpp',
          ],
          'include_dirs': ['native/nbd/include'],
          'cflags_cc': ['<!@(pkg-config --cflags libnbd)'],
          'libraries': ['<!@(pkg-config --libs libnbd)'],
        },
      ],
    }],
  ],
}

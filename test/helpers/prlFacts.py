"""Asks libprl_sdk what docs/differences.md says of it in C (P16 to P19), and prints the answers, one a line."""
import ctypes
import os
import sys

L = ctypes.CDLL(sys.argv[1])
u, H = ctypes.c_uint32, ctypes.c_void_p
NAMES = """PrlApi_InitEx PrlApi_Deinit PrlJob_Wait PrlJob_GetRetCode PrlSrv_Create PrlHandle_GetType PrlFsInfo_GetFsType
PrlSrv_RegEventHandler""".split()
for name in NAMES:
    getattr(L, name).restype = u
L.PrlSrv_Login.restype = H
L.PrlSrv_LoginLocal.restype = H


def told(name, value):
    print(name, value if isinstance(value, bool) else format(value, "x"))


def code_of(job):
    code = u()
    L.PrlJob_Wait(H(job), u(20000))
    L.PrlJob_GetRetCode(H(job), ctypes.byref(code))
    return code.value


def begin():
    return L.PrlApi_InitEx(u(7 << 16), u(0), u(0), u(0))


begin()
server, number = H(), u()
L.PrlSrv_Create(ctypes.byref(server))
told("absent", L.PrlFsInfo_GetFsType(server, ctypes.byref(number)))
told("login", code_of(L.PrlSrv_Login(server, b"host", b"user", b"password", None, u(0), u(0), u(0))))

# The handler's end is waited for over a pipe, which it writes into.
reader, writer = os.pipe()


def on_event(event, data):
    os.write(writer, b"%x %x" % (L.PrlApi_Deinit(), begin()))
    return 0


handler = ctypes.CFUNCTYPE(ctypes.c_int32, H, H)(on_event)
L.PrlSrv_RegEventHandler(server, handler, None)
L.PrlSrv_LoginLocal(server, None, u(0), u(0))
print("inside", os.read(reader, 99).decode())

child = os.fork()
if child == 0:
    os.write(writer, b"%x" % L.PrlSrv_Create(ctypes.byref(H())))
    os._exit(0)
os.waitpid(child, 0)
print("copy", os.read(reader, 99).decode())

L.PrlApi_Deinit()
begin()
told("old", L.PrlHandle_GetType(server, ctypes.byref(number)))
newer = H()
L.PrlSrv_Create(ctypes.byref(newer))
told("on", newer.value > server.value)
L.PrlApi_Deinit()

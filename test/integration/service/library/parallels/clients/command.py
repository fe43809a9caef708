#!/usr/bin/env python3
"""A command that speaks the channel of libprl_sdk, and does what it should not: what that is, the program tells by PrlStrList_AddItem."""
import os
import struct
import sys

channel = sys.stdin.buffer
mode = ""


def value(of):
    if of is None:
        return b"\0"
    if isinstance(of, int):
        return b"\1" + struct.pack("<Q", of)
    return b"\2" + struct.pack("<I", len(of)) + of


def send(number, kind, *values):
    body = b"".join(value(of) for of in values)
    os.write(1, struct.pack("<III", len(body), number, kind) + body)


def text(body, at):
    (length,) = struct.unpack_from("<I", body, at + 1)
    return body[at + 5 : at + 5 + length].decode(), at + 5 + length


def answer(number, name, body, at):
    global mode
    if name == "PrlStrList_AddItem":
        mode, _ = text(body, at + 9)
        send(number, 2, 0)
    elif mode == "dies":
        sys.exit(0)
    elif mode == "short":
        send(number, 2, 0)
    elif mode == "kinds":
        send(number, 2, 0, b"text", b"text", 1)
    elif mode == "long":
        send(number, 2, 0, 1 << 31, b"x" * 5000)
    elif mode == "endless":
        send(number, 2, 0, 90, b"x" * 90)
    elif mode == "events":
        mode = ""
        for registration in (1, 2, 3, 999):
            send(0, 6, registration, 0xFADE)
        send(number, 2, 0, 0xFACE)
    elif mode.startswith("half"):
        os.write(1, struct.pack("<III", 14 + 512, number, 2) + value(0) + b"\2" + struct.pack("<I", 512) + b"x" * 100)
    elif mode == "torn":
        os.write(1, b"\xff" * 64)
    elif mode != "silent":
        send(number, 2, 0, 0xFACE)


while True:
    header = channel.read(12)
    if len(header) < 12:
        break
    length, number, _ = struct.unpack("<III", header)
    body = channel.read(length)
    name, at = text(body, 0)
    answer(number, name, body, at)

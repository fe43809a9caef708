#!/usr/bin/env python3
"""A command that speaks the library's channel, and holds what the program asks it to hold: by names of files that it renames."""
import os
import select
import struct
import sys

channel = sys.stdin.buffer
order, held, seen, waiting = [], [], set(), {}


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


def release():
    for number, values in held:
        send(number, 2, 0, *values)
    held.clear()


def answer(number, name, body, at):
    order.append(name)
    seen.add(name)
    if name == "InitEx":
        send(0, 3, b"begun")
    if b"short" in body:
        send(number, 2, 0)
    elif name == "ConnectEx":
        send(number, 2, 0, 1)
    elif name == "Open":
        path, _ = text(body, at + 9)
        server = os.environ.get("SERVER")
        values = (7, 2048, 0, b"file", server.encode() if server else None)
        if path == "late":
            held.append((number, values))
        else:
            send(number, 2, 0, *values)
    elif name == "Read":
        held.append((number, (b"r" * 512,)))
    elif name == "Rename":
        # "when": when that call has come. "release": what is held is answered. "order": whether they came in this one.
        what, at = text(body, at)
        wanted, _ = text(body, at)
        if what == "deaf":
            send(number, 2, 0)
            hung_up = select.poll()
            hung_up.register(0, 0)
            hung_up.poll()
            sys.exit(0)
        if what == "release":
            release()
        if what == "when" and wanted not in seen:
            waiting[wanted] = number
        else:
            came = [name for name in order if name in wanted.split()]
            send(number, 2, 0 if what != "order" or came == wanted.split() else 1)
    else:
        send(number, 2, 0)
    if name == "Disconnect":
        release()
    if name in waiting:
        send(waiting.pop(name), 2, 0)


while True:
    header = channel.read(12)
    if len(header) < 12:
        break
    length, number, _ = struct.unpack("<III", header)
    body = channel.read(length)
    name, at = text(body, 0)
    answer(number, name.replace("VixDiskLib_", ""), body, at)
ended = os.environ.get("ENDED")
if ended:
    open(ended, "w").close()

"""Runs a command on a terminal of its own, interrupts it so many times at its passphrase prompt, and tells how it
ended and whether the terminal still shows what is typed.

    terminal.py TIMES COMMAND...

The signals come from outside, as a supervisor's or `kill`'s do: what is typed at the prompt is the prompt's own.
"""
import os
import pty
import signal
import subprocess
import sys
import termios

PROMPT, NOTED = b"passphrase of", b"Ctrl-C again"


def echoes(terminal):
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


def read_until(terminal, wanted):
    seen = b""
    while wanted not in seen:
        try:
            seen += os.read(terminal, 4096)
        except OSError:
            sys.exit(f"no {wanted}: {seen}")


signal.alarm(60)
outcome, told = os.pipe()
leader, terminal = pty.fork()
if leader == 0:
    # The session's leader outlives the command, as a shell does: with it the terminal goes.
    signal.signal(signal.SIGINT, lambda *_: None)
    code = subprocess.run(sys.argv[2:]).returncode
    os.write(told, f"code {code}, echo {'on' if echoes(0) else 'off'}".encode())
    os._exit(0)
os.close(told)
read_until(terminal, PROMPT)
while echoes(terminal):
    pass
for time in range(int(sys.argv[1])):
    os.killpg(os.tcgetpgrp(terminal), signal.SIGINT)
    if time == 0:
        read_until(terminal, NOTED)
print(os.read(outcome, 100).decode())

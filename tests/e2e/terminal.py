"""A program on a pseudo-terminal: type, wait for text, press Ctrl-C."""
import os
import pty
import re
import select
import signal
import struct
import fcntl
import termios
import time

CTRL_C, CTRL_D, UP = "\x03", "\x04", "\x1b[A"


class Terminal:
    def __init__(self, *command, env, cwd=None, columns=100):
        self.output, self.seen = "", 0
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            try:
                if cwd:
                    os.chdir(cwd)
                os.execve(command[0], [str(c) for c in command], {**env, "TERM": "xterm"})
            finally:
                os._exit(127)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def read(self, seconds):
        """Adds what comes within the time to output; False at the end of it."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # Linux: the other side has closed
            return False
        self.output += piece.decode(errors="replace")
        return bool(piece)

    def expect(self, pattern, seconds=60):
        """Waits for a pattern behind the last one found, and gives the text up to its end."""
        until = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.output[self.seen:], re.S)
            if found:
                text = self.output[self.seen:self.seen + found.end()]
                self.seen += found.end()
                return text
            alive = self.read(0.05)
            if not alive or time.monotonic() > until:
                why = "came not in time" if alive else "is missing: the program has ended"
                raise AssertionError(f"{pattern!r} {why}; the terminal shows:\n"
                                     f"{self.output[self.seen:]!r}")

    def wait(self, seconds=60):
        """The exit code, a signal as its negative number."""
        until = time.monotonic() + seconds
        while self.read(0.05) and time.monotonic() < until:
            pass
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        raise AssertionError("the program does not end; the terminal shows:\n" +
                             repr(self.output[self.seen:]))

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        os.close(self.master)

#!/usr/bin/env python3
"""Makes docs/terminal.svg, the picture in the README: a real story in a real terminal (tmux).

    cargo build --release && docs/terminal.py target/release
"""

import html
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SCRIPT = """\
n=$(pitstop load --default 0) || exit
while [ $n -lt 5 ]; do
  n=$((n + 1)); echo "table $n"; sleep 0.5
  echo $n | pitstop -q save -l table=$n || exit
done
"""
STORY = [
    ("cat import.sh", 1),
    ("timeout -s KILL 2 pitstop run --create import -- sh import.sh", 3),
    ("pitstop status", 1),
    ("pitstop run import -- sh import.sh", 3),
    ("pitstop list", 1),
    ("pitstop history import", 1),
    ("pitstop show checkup | tail -n 10", 1),
]
# A session that the real Checkbox made.
CHECKUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir,
                       "tests/fixtures/checkbox-1.18.1/version-7.session")
COLUMNS, ROWS = 84, 44
TMUX = ["tmux", "-L", f"pitstop-{os.getpid()}", "-f", "/dev/null"]
COLOURS = {30: "#6e7681", 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 36: "#76e3ea"}
WIDTH, HEIGHT, MARGIN = 8.4, 19, 16


def capture(programs):
    """The screen after the story, with its colours."""
    places = os.pathsep.join([programs, "/usr/bin", "/bin"])
    with tempfile.TemporaryDirectory() as home:
        with open(os.path.join(home, "import.sh"), "w", encoding="utf-8") as file:
            file.write(SCRIPT)
        shutil.copytree(CHECKUP, os.path.join(home, ".local/state/pitstop/sessions/checkup.session"))
        shell = ["unshare", "--user", "--map-root-user", "--uts", "sh", "-c",
                 "hostname build; exec bash --norc"]
        environment = ["env", "-i", f"HOME={home}", f"PATH={places}", "TERM=tmux-256color",
                       "LANG=C.UTF-8", "HISTFILE=", "PS1=\\[\\e[36m\\]$ \\[\\e[0m\\]"]
        tmux("new-session", "-d", "-c", home, "-x", str(COLUMNS), "-y", str(ROWS), *environment, *shell)
        try:
            time.sleep(1)
            tmux("send-keys", "clear", "Enter")
            for line, seconds in STORY:
                time.sleep(0.3)
                tmux("send-keys", "-l", line)
                tmux("send-keys", "Enter")
                time.sleep(seconds)
            return tmux("capture-pane", "-p", "-e").rstrip("\n")
        finally:
            tmux("kill-server")
            time.sleep(0.5)


def tmux(*words):
    return subprocess.run([*TMUX, *words], check=True, capture_output=True, text=True).stdout


def spans(line):
    """Pieces of a line, each with its column and style."""
    style, column = "", 0
    colour, bold = None, False
    for codes, text in re.findall(r"\x1b\[([\d;]*)m|([^\x1b]+)", line):
        if text:
            yield column, style, text
            column += len(text)
            continue
        for code in map(int, codes.split(";") if codes else [0]):
            if code == 0:
                colour, bold = None, False
            elif code == 1:
                bold = True
            elif code == 39:
                colour = None
            elif code in COLOURS:
                colour = COLOURS[code]
        style = (f' fill="{colour}"' if colour else "") + (' font-weight="bold"' if bold else "")


def svg(screen):
    lines = screen.split("\n")
    width, height = COLUMNS * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
           f'width="{width:.0f}" height="{height:.0f}" font-size="14" fill="#e6edf3" '
           'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace">')
    yield '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>'
    for row, line in enumerate(lines):
        y = MARGIN + row * HEIGHT + 14
        for column, style, text in spans(line):
            if text.strip():
                x, length = MARGIN + column * WIDTH, len(text) * WIDTH
                yield (f'<text x="{x:.1f}" y="{y}" textLength="{length:.1f}" xml:space="preserve"'
                       f"{style}>{html.escape(text, quote=False)}</text>")
    yield "</svg>"


if __name__ == "__main__":
    screen = capture(os.path.abspath(sys.argv[1]))
    picture = os.path.join(os.path.dirname(os.path.abspath(__file__)), "terminal.svg")
    with open(picture, "w", encoding="utf-8") as file:
        file.write("\n".join(svg(screen)) + "\n")
    print(re.sub(r"\x1b\[[\d;]*m", "", screen))

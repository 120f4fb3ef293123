"""Milliseconds that importing skdnn adds to importing scikit-learn's networks.

Every import happens in a fresh interpreter and is timed inside it, so that the start of
the interpreter does not count. The measurements take turns; one turn of each beforehand
compiles the bytecode and fills the file cache. What skdnn adds is measured twice: as
the difference of the two imports within a round, which also varies with the order in
which the many modules they share are loaded, and with scikit-learn's networks imported
first, which leaves skdnn's own modules and whatever else only skdnn needs.
"""

import argparse
import os
import subprocess
import sys
from statistics import median

import machine

GOAL = 30
PEER = "import sklearn.neural_network"
OURS = "import skdnn"
OURS_AFTER_PEER = "import skdnn after that"
PROGRAMS = {PEER: ("", PEER), OURS: ("", OURS), OURS_AFTER_PEER: (PEER, OURS)}
TEMPLATE = """
from time import perf_counter
{}
start = perf_counter()
{}
print(perf_counter() - start)
"""


def import_seconds(name):
    command = [sys.executable, "-c", TEMPLATE.format(*PROGRAMS[name])]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    return float(subprocess.check_output(command, text=True, env=environment))


def print_row(name, seconds, goal=""):
    print(f"{name:<30} {1e3 * median(seconds):>6.0f} ms {goal}".rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    n_rounds = parser.parse_args().rounds
    print(machine.describe())
    print(f"Medians of {n_rounds} fresh interpreters each; goals in parentheses\n")
    for name in PROGRAMS:
        import_seconds(name)
    rounds = [
        {name: import_seconds(name) for name in PROGRAMS} for _ in range(n_rounds)
    ]

    print_row(PEER, [r[PEER] for r in rounds])
    print_row(OURS, [r[OURS] for r in rounds])
    goal = f"(<= {GOAL})"
    print_row("difference within a round", [r[OURS] - r[PEER] for r in rounds], goal)
    print_row(OURS_AFTER_PEER, [r[OURS_AFTER_PEER] for r in rounds], goal)


if __name__ == "__main__":
    main()

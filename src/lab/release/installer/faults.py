"""Failures that the stand-in is asked to play, by a file that only a lab's host has."""
import json

PATH = "/etc/ocp2-lab-faults.json"


def asked():
    """Returns what is asked for, empty where nothing is.

    `nodes` and `operators` go into the boot image (see the guest's faults); `giveUp` lets `wait-for` time out
    as the real one does after an hour.
    """
    try:
        with open(PATH, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}

"""A production line in small: frames whose truth is known, a station as a real process, and faults put into it."""

"""How messages count things."""


def counted(number: int, thing: str) -> str:
    """Returns a number and what is counted.

    >>> counted(1, "video"), counted(2, "video")
    ('1 video', '2 videos')
    """
    return f"{number} {thing}{'s' * (number != 1)}"

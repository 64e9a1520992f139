"""The one error of the scenes."""


class SceneError(Exception):
    """Something is missing or came out wrong; the text names it and the next step."""

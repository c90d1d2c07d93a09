"""The one exception that a user is meant to read."""


class InputError(ValueError):
    """Something the user gave is wrong and can be mended by the user.

    The message is one sentence-like line, "where: field: what is wrong; the cure". The command line
    prints it and ends with exit code 2 before any long work; in a notebook it is an ordinary ValueError.

    Parameters
    ----------
    where : object
        The file, option or argument that is wrong.
    field : str
        The part of it (a sidecar key, an axis), or "" when the whole is meant.
    problem : str
        What is wrong, with the offending value.
    cure : str
        What to do about it, in the imperative.
    """

    def __init__(self, where: object, field: str, problem: str, cure: str):
        self.where, self.field, self.problem, self.cure = str(where), field, problem, cure
        super().__init__(": ".join(part for part in (self.where, field, problem) if part) + f"; {cure}")

"""How the installer refuses: field errors in the words of Kubernetes' validation."""


class Refused(Exception):
    """What the installer says before it exits 1."""


class Problems:
    """Collects the field errors of one file."""

    def __init__(self):
        self.found = []

    def invalid(self, field, value, why):
        self.found.append(f"{field}: Invalid value: {quoted(value)}: {why}")

    def required(self, field, why=""):
        self.found.append(f"{field}: Required value" + (f": {why}" if why else ""))

    def forbidden(self, field, why):
        self.found.append(f"{field}: Forbidden: {why}")

    def unsupported(self, field, value, supported):
        words = ", ".join(f'"{word}"' for word in supported)
        self.found.append(f"{field}: Unsupported value: {quoted(value)}: supported values: {words}")

    def refuse(self, prefix):
        """Raises all that was found at once."""
        if self.found:
            text = self.found[0] if len(self.found) == 1 else f"[{', '.join(self.found)}]"
            raise Refused(prefix + text)


def quoted(value):
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else f'"{value}"'


def unknown_field(value, schema):
    """Returns the first key that the schema does not know, None if all are known.

    A schema is a dict of keys, a one-element list of such a schema, or None: anything.
    """
    if isinstance(schema, list) and isinstance(value, list):
        return next((key for item in value if (key := unknown_field(item, schema[0])) is not None), None)
    if isinstance(schema, dict) and isinstance(value, dict):
        for key, inner in value.items():
            if key not in schema:
                return key
            if (found := unknown_field(inner, schema[key])) is not None:
                return found
    return None

"""Headers of answers, put together once for many of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.web.http_headers import Headers


class AnswerFields:
    """
    Some headers of an answer; never changed once they were made.

    twisted.web has the last word on how names are spelled and what a value may hold, also
    for answers that go past it.

    Args:
        pairs: names and values.

    Attributes:
        pairs: the same, as twisted.web orders and spells them.
    """

    __slots__ = ("_by_coding", "_wire", "_wires", "pairs")

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        headers = Headers()
        for name, value in pairs:
            headers.addRawHeader(name, value)
        self.pairs: Sequence[tuple[bytes, bytes]] = [
            (name, value) for name, values in headers.getAllRawHeaders() for value in values
        ]
        self._wire = b"".join(b"%b: %b\r\n" % pair for pair in self.pairs)
        self._wires: dict[tuple[bytes, str | None], bytes] = {}
        self._by_coding: AnswerFields | None = None

    def wire_with(self, content_type: bytes, coding: str | None) -> bytes:
        """
        Give their bytes and those of the body's headers, up to its length.

        Args:
            content_type: of the body; there are not many.
            coding: how it was compressed, if it was.
        """
        key = content_type, coding
        wire = self._wires.get(key)
        if wire is None:
            encoding = "" if coding is None else f"Content-Encoding: {coding}\r\n"
            wire = self._wires[key] = b"%bContent-Type: %b\r\n%bContent-Length: " % (
                self._wire,
                content_type,
                encoding.encode("ascii"),
            )
        return wire

    @property
    def by_coding(self) -> AnswerFields:
        """These, and that the body depends on the codings that the client takes."""
        if self._by_coding is None:
            self._by_coding = self.adding([(b"vary", b"Accept-Encoding")])
        return self._by_coding

    def adding(self, pairs: Iterable[tuple[bytes, bytes]]) -> AnswerFields:
        """Give these and others, which do not replace those of the same names."""
        return AnswerFields([*self.pairs, *pairs])

    def with_hooks(self, pairs: Sequence[tuple[str, str]]) -> AnswerFields:
        """
        Give these and what the application says, which is stronger.

        Args:
            pairs: see `mojo.engineio.response_headers`; names are lower-case.
        """
        if not pairs:
            return self
        replaced = {name.encode("ascii") for name, _ in pairs} - {b"set-cookie", b"vary"}
        kept = [pair for pair in self.pairs if pair[0].lower() not in replaced]
        return AnswerFields(
            [*kept, *((name.encode("ascii"), value.encode("ascii")) for name, value in pairs)]
        )

"""Events whose arguments are checked, and answers of types that JSON has not."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel

from mojo import MojoSocketHandler, event


class Item(BaseModel):
    name: str
    price: Decimal
    photo: bytes | None = None


@dataclass
class Receipt:
    number: UUID
    day: date
    total: Decimal
    names: set[str]
    photos: list[bytes | None]


class SocketConnectionHandler(MojoSocketHandler):
    validate_events = True

    @event
    def buy(self, items: list[Item], day: date):
        return Receipt(
            UUID(int=1),
            day,
            sum((item.price for item in items), Decimal()),
            {item.name for item in items},
            [item.photo for item in items],
        )

    @event
    def count(self, number: int):
        return number + 1

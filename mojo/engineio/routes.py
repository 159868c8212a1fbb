"""
Where a path of a tree of resources leads, if it leads everybody there.

A plain request (`mojo.engineio.plain`) is not walked through the tree.  That is right
only where the way cannot depend on it: a resource that asks for a password, or
serves one host and not another, must be asked.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from twisted.web.resource import IResource, Resource


class Signpost(Resource):
    """A resource with its own idea of its children, which is the same for all requests."""

    @abstractmethod
    def follow(self, segments: Sequence[bytes]) -> IResource | None:
        """Give what any request for that path below it ends at; ``None``, if it depends."""


def follow(resource: IResource, segments: Sequence[bytes]) -> IResource | None:
    """
    Follow a path from a resource.

    Args:
        resource: where it begins.
        segments: its names.
    Returns:
        What any request for it ends at; ``None`` if that is nothing, or depends on the
        request.
    """
    if isinstance(resource, Signpost):
        return resource.follow(segments)
    if not segments or resource.isLeaf:
        return resource
    if (
        not isinstance(resource, Resource)
        or type(resource).getChildWithDefault is not Resource.getChildWithDefault
    ):
        return None
    child = resource.children.get(segments[0])
    return None if child is None else follow(child, segments[1:])

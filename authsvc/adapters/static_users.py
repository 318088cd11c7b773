"""The users of the configuration file: docker_auth's ``users``."""

from collections.abc import Sequence

from authsvc.decide.credentials import Compare, Identity, NoMatch, WrongPassword, identity, what_to_compare
from authsvc.decide.request import Claimed
from authsvc.ports import PasswordCheck
from wharfinger.runtime.settings import User


class StaticUsers:
    """The port ``Authenticator``. ``key`` fingerprints credentials."""

    def __init__(self, users: Sequence[User], passwords: PasswordCheck, key: bytes) -> None:
        self._users = {user.name: user for user in users}
        self._identities = {user.name: identity(key, user) for user in users}
        self._passwords = passwords

    def recall(self, claimed: Claimed) -> Identity | None:
        """A password that matched within the last minute, under the hash that is configured now."""
        found = what_to_compare(self._users, claimed)
        if isinstance(found, Compare) and self._passwords.remembers(found.password, found.hashed):
            return self._identities[claimed.account]
        return None

    async def authenticate(self, claimed: Claimed | None) -> Identity | NoMatch | WrongPassword:
        """Compare, unless the user has no password."""
        match what_to_compare(self._users, claimed):
            case NoMatch():
                return NoMatch()
            case User(name):
                return self._identities[name]
            case Compare(password, hashed):
                matches = await self._passwords.matches(password, hashed)
                return self._identities["" if claimed is None else claimed.account] if matches else WrongPassword()

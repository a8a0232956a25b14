"""Thespian's TCP system base, sealed: bound to one address, every frame checked, nothing pickled.

Theory of operation. Stock Thespian listens on all addresses and unpickles what anyone sends. Its
TCP transport finds the class of its receive buffers and its two acknowledgements by module
attribute, and its serializer by method; `install` replaces the former, `SealedTransport` the
latter. Received data then passes `seal` (who sent it, is it whole, is it new) and `wire` (is it one
of the few messages we know) before Thespian sees it. Forked processes inherit all of it.

Log records stay in the process that made them: Thespian would send them to its logger process,
and nothing on the wire may be that free. They go to the handlers that the root logger had when
the system was started, in every process alike. The logger process is not even started.
"""

import logging
import os
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

from thespian.system import multiprocCommon
from thespian.system.messages.multiproc import LoggerConnected
from thespian.system.multiprocCommon import multiprocessCommon
from thespian.system.transport import (
    DEFAULT_MAX_TRANSMIT_PERIOD,
    IPBase,
    ReceiveEnvelope,
    SendStatus,
    Thespian__UpdateWork,
    TransmitIntent,
    streamBuffer,
)
from thespian.system.transport import TCPTransport as tcp  # noqa: N813  # It is a module.
from thespian.system.utilis import thesplog_control

from loki.actors.base.lifeline import leave_stopping_to_starter
from loki.actors.base.process import name_process
from loki.actors.base.seal import FrameBuffer, Head, ReplayGuard, Seal, Verdict
from loki.actors.base.wire import Packet, Wire, WireError
from loki.errors import ConfigurationError

__all__ = ["BASE_NAME", "LOOPBACK", "Packet", "forget_key", "install"]

BASE_NAME: Final = "lokiSealedTCPBase"
LOOPBACK: Final = "127.0.0.1"
SHELL_ACTOR: Final = "loki.actors.base.shell.ShellActor"

REPLAY_WINDOW: Final = DEFAULT_MAX_TRANSMIT_PERIOD + timedelta(minutes=1)
MAX_STRANGERS: Final = 64  # Connections that have not sent a good frame yet.
STRANGER_PATIENCE: Final = timedelta(seconds=5)
REFUSAL_LOG_INTERVAL_S: Final = 1.0

_NOT_SENT: Final = b"stays in this process"
_log = logging.getLogger("loki.transport")


@dataclass(frozen=True, slots=True)
class _Installed:
    """What all transports of this process and of its forks share."""

    seal: Seal
    wire: Wire
    log: logging.Logger  # The root logger of the process that starts the system.


_installed: _Installed | None = None


def install(
    key: bytes, *, host: str = LOOPBACK, creatable: Collection[str] = (SHELL_ACTOR,)
) -> str:
    """Make the sealed base known to Thespian; call it before `ActorSystem(<the result>)`.

    `key` holds for this boot of the system, all its processes inherit it. `host` is the numeric
    address to bind to. `creatable` are the dotted names of the actor classes that may be created
    through the Admin, hence from outside.

    Raises: ConfigurationError for a key under 32 bytes.
    """
    global _installed
    try:
        seal = Seal(key)
    except ValueError as error:
        raise ConfigurationError(f"The actor system cannot be sealed: {error}.") from error
    _installed = _Installed(seal, Wire(host, creatable), logging.getLogger())
    tcp.ReceiveBuffer = _Receiving
    tcp.ackMsg = seal.control(tcp.ackPacket.encode())
    tcp.ackDataErrMsg = seal.control(streamBuffer.ackDataErrPacket.encode())
    tcp.serializer = SimpleNamespace(loads=None)  # No way back to pickle.
    multiprocCommon._startLogger = _start_without_logger
    _bind_to(host)
    sys.modules[f"thespian.system.{BASE_NAME}"] = sys.modules[__name__]
    return BASE_NAME


def _start_without_logger(_class: object, transport: Any, admin: Any, *_: object) -> None:
    """Called in the Admin's process, which serves when its logger reports: here at once."""
    name_process("admin")
    leave_stopping_to_starter()
    admin.asLogger = admin.asLogProc = None
    admin.h_LoggerConnected(ReceiveEnvelope(transport.myAddress, LoggerConnected()))


def _bind_to(host: str) -> None:
    """The variable alone would leave addresses marked external bound to all interfaces."""
    os.environ["THESPIAN_BASE_IPADDR"] = host
    IPBase.thisSystem.add_local_addr(host)
    IPBase.IPActorAddress.bindArgs = property(lambda self: ((host, self.sockname[1]),))


def forget_key() -> None:
    """For a process that is done with Thespian: it can neither send nor receive any more.

    Its death is still told to its parent, by the kernel. Best called before it runs strangers'
    code, which could else speak for any actor. Thespian's own log file, which may be out of reach
    from then on, is given up too.
    """
    _shared().seal.forget()
    thesplog_control(logging.CRITICAL, False, 0)


def _shared() -> _Installed:
    if _installed is None:
        raise ConfigurationError("The actor system has no key: call transport.install() first.")
    return _installed


class _Receiving:
    """A frame under way, as Thespian wants to see it; decoded once, however often it is asked for.

    Thespian asks twice on the acknowledgement path, and forgets a send whose receive buffer raises
    there: so it never raises, and None stands for everything that is refused.
    """

    def __init__(self, _loads: object = None) -> None:
        self._frame = FrameBuffer(_shared().seal)
        self._payload: Any = None
        self._decoded = False
        self.refusal = "no good seal"

    @property
    def head(self) -> Head | None:
        return self._frame.head

    def addMore(self, data: bytes) -> None:  # noqa: N802
        if data:
            self._frame.add(data)

    def remainingAmount(self) -> int:  # noqa: N802
        return self._frame.missing_bytes

    def isDone(self) -> bool:  # noqa: N802
        return self._frame.broken or self._frame.complete

    def removeExtra(self) -> None:  # noqa: N802
        self._frame.extra = b""

    def completed(self) -> tuple[Any, bytes] | None:
        """(payload, what came behind the frame); the payload of an acknowledgement is its word."""
        if not self._decoded and self.isDone():
            self._payload, self._decoded = self._decode(), True
        return None if self._payload is None else (self._payload, self._frame.extra)

    def _decode(self) -> Any:
        head = self._frame.head
        if head is None or self._frame.broken:
            return None
        if head.control:
            return self._frame.body.decode("ascii", "replace")
        try:
            return _shared().wire.decode(self._frame.body)
        except WireError as error:
            self.refusal = str(error)
            return None


class SealedTransport(tcp.TCPTransport):  # type: ignore[misc]  # Thespian has no types.
    """Thespian's TCP transport with our frames. Method names are Thespian's."""

    def __init__(self, *args: Any) -> None:
        _shared()
        self._replays = ReplayGuard(
            born_ns=time.monotonic_ns(), window_ns=int(REPLAY_WINDOW.total_seconds() * 1e9)
        )
        self._refused = 0
        self._refusal_logged_s = float("-inf")
        super().__init__(*args)

    def external_transport_clone(self) -> "SealedTransport":
        return SealedTransport(tcp.ExternalTransportCopy(), self._adminAddr, self.txOnly, False)

    # Out.

    def scheduleTransmit(  # noqa: N802
        self, manager: Any, intent: TransmitIntent, has_exclusive_flag: bool = False
    ) -> None:
        """Any thread may log, so a record must not reach the transport's queues."""
        if isinstance(intent.message, logging.LogRecord):
            _handle_here(intent.message)
            intent.tx_done(SendStatus.Sent)
            return
        super().scheduleTransmit(manager, intent, has_exclusive_flag)

    def serializer(self, intent: TransmitIntent) -> bytes:
        """Called once per intent; a repeated transmit sends the same bytes."""
        if isinstance(intent.message, Thespian__UpdateWork) or intent.targetAddr == self.myAddress:
            return _NOT_SENT
        return _shared().seal.message(
            _shared().wire.encode(self.myAddress, intent.message),
            port=intent.targetAddr.addressDetails.sockname[1],
            now_ns=time.monotonic_ns(),
        )

    # In.

    def _acceptNewIncoming(self) -> None:  # noqa: N802
        self._close_strangers()
        super()._acceptNewIncoming()

    def _close_strangers(self) -> None:
        """Connections that do not prove the key in time, or are too many; the quietest first."""
        strangers = [
            (fd, incoming)
            for fd, incoming in self._incomingSockets.items()
            if incoming.fromAddress.addressDetails is None and incoming._rData.head is None
        ]
        too_many = len(strangers) - MAX_STRANGERS + 1
        for number, (fd, incoming) in enumerate(strangers):
            age = tcp.MAX_INCOMING_SOCKET_PERIOD - incoming._expires.view().remaining()
            if number < too_many or age > STRANGER_PATIENCE:
                del self._incomingSockets[fd]
                self._log_refusal("a connection that sends nothing good")
                incoming.close()

    def _addedDataToIncoming(  # noqa: N802
        self,
        inc: Any,
        skipFinish: bool = False,  # noqa: N803
        has_exclusive_flag: bool = False,
    ) -> Any:
        """Returns `inc` while its frame is incomplete, None when done with it.

        Replaces the original, which delivers replays, answers strangers, lets errors of an
        acknowledgement end the process, and takes up the wrong bytes behind a frame.
        """
        if not inc.receivedAllData():
            return inc
        received = inc.data
        verdict = Verdict.REFUSED if received is None else self._judge(inc._rData)
        if verdict is Verdict.REFUSED:
            return self._refuse(inc)
        (sender, message), extra = received
        _try_to_send(inc.socket, tcp.ackMsg)
        inc.fromAddress = sender
        if verdict is Verdict.FRESH:
            self._processReceivedEnvelope(
                ReceiveEnvelope(sender, message), has_exclusive_flag=has_exclusive_flag
            )
        if extra:  # Nobody sends on before we acknowledge: out of step, so start over.
            inc.close()
        elif not skipFinish:
            self._finishIncoming(inc, sender)
        return None

    def _judge(self, received: _Receiving) -> Verdict:
        head = received.head
        if head is None or head.control:
            received.refusal = "an acknowledgement of nothing"
            return Verdict.REFUSED
        port: int = self.myAddress.addressDetails.sockname[1]
        received.refusal = "stale, or sealed for another process"
        return self._replays.judge(head, port=port, now_ns=time.monotonic_ns())

    def _refuse(self, inc: Any) -> None:
        """Close; tell only a peer that holds the key, whose transport would try again."""
        self._log_refusal(inc._rData.refusal)
        if inc._rData.head is not None:
            _try_to_send(inc.socket, tcp.ackDataErrMsg)
        inc.close()

    def _log_refusal(self, reason: str) -> None:
        self._refused += 1
        now_s = time.monotonic()
        if now_s - self._refusal_logged_s >= REFUSAL_LOG_INTERVAL_S:
            self._refusal_logged_s = now_s
            _log.warning(
                "%s refused a frame, its no. %d: %s", self.myAddress, self._refused, reason
            )


def _try_to_send(connection: Any, frame: bytes) -> None:
    """An acknowledgement that cannot be sent is repeated when the peer sends again."""
    try:
        connection.send(frame)
    except OSError as error:
        _log.debug("no acknowledgement to %s: %s", connection, error)


def log_only_to(handler: logging.Handler) -> None:
    """Of this process, which is one of an actor, all records go there from now on."""
    _shared().log.handlers[:] = [handler]


def _handle_here(record: logging.LogRecord) -> None:
    root = _shared().log
    if record.levelno >= root.getEffectiveLevel():
        root.handle(record)


class ActorSystemBase(multiprocessCommon):  # type: ignore[misc]  # Thespian has no types.
    """What `ActorSystem(BASE_NAME)` looks for in the module of that name."""

    transportType = SealedTransport  # noqa: N815

    def __init__(self, system: Any, logDefs: dict[str, Any] | None = None) -> None:  # noqa: N803
        system.capabilities.update(
            {
                "Thespian ActorSystem Name": BASE_NAME,
                "Thespian ActorSystem Version": 1,
                "Thespian Watch Supported": True,
                "AllowRemoteActorSources": "no",
            }
        )
        level = _shared().log.getEffectiveLevel()
        super().__init__(system, logDefs or {"version": 1, "root": {"level": level}})

"""The ``backends`` of a ``spread.yaml``: read first, judged when the whole file is known to fit."""

from msgspec import Struct, structs

from outspread.project.field_reader import FieldReader, six_scripts, timeouts_of
from outspread.project.go_quote import go_quote
from outspread.project.known_fields import FieldLevel
from outspread.project.model import Backend, Flavour, System, Timeouts
from outspread.project.name_rules import is_plain_name
from outspread.project.yaml_document import MappingNode, Node, ScalarNode
from outspread.project.yaml_values import EnvironmentValue, Fields, is_null

_SPREAD_TYPES = frozenset({"google", "openstack", "linode", "lxd", "qemu", "adhoc", "humbox"})
_PLUS_TYPES = frozenset({"testflinger"})
_OUR_TYPES = frozenset({"sandbox"})


def known_backend_types(flavour: Flavour) -> frozenset[str]:
    """Return the types that need no plug-in."""
    return _SPREAD_TYPES | _OUR_TYPES | (_PLUS_TYPES if flavour is Flavour.SPREAD_PLUS else frozenset())


class SystemDraft(Struct, frozen=True):
    """A system as read. ``system`` is None where the list has an empty entry."""

    system: System | None
    environment: EnvironmentValue
    line: int


class BackendDraft(Struct, frozen=True):
    """A backend as read. ``backend`` has no systems yet, and is None where the name has no value."""

    name: str
    name_line: int
    backend: Backend | None = None
    environment: EnvironmentValue = EnvironmentValue()
    systems: tuple[SystemDraft, ...] = ()
    lines: dict[str, int] = {}


def read_backends(reader: FieldReader, nodes: list[Node]) -> dict[str, BackendDraft]:
    """Return the backends of the mappings ``nodes``, of a repeated name the last."""
    drafts: dict[str, BackendDraft] = {}
    for name, value, line in reader.pairs(nodes, "map[string]*spread.Backend"):
        drafts[name] = BackendDraft(name, line) if is_null(value) else _read_backend(reader, name, line, value)
    return drafts


def _read_backend(reader: FieldReader, name: str, line: int, node: Node) -> BackendDraft:
    fields = reader.fields(node, FieldLevel.BACKEND, "spread.Backend")
    plus = reader.plus(fields)
    environment = fields.environment()
    timeouts = timeouts_of(fields)
    backend = Backend(
        name=name,
        type=fields.text("type") or name,
        systems={},
        key=fields.text("key"),
        allocate=fields.script("allocate"),
        discard=fields.script("discard"),
        memory_bytes=fields.size_bytes("memory"),
        plan=fields.text("plan"),
        location=fields.text("location"),
        storage_bytes=fields.size_bytes("storage"),
        account=fields.text("account"),
        endpoint=fields.text("endpoint"),
        networks=fields.texts("networks"),
        groups=fields.texts("groups"),
        environment=environment.pairs,
        variants=fields.texts("variants"),
        scripts=six_scripts(fields),
        timeouts=Timeouts(timeouts.warn_s, timeouts.kill_s, fields.seconds("halt-timeout"), plus.seconds("wait-timeout")),
        priority=fields.integer("priority", "int64"),
        manual=fields.boolean("manual"),
        proxy=plus.text("proxy"),
        cidr_port_rel=plus.texts("cidr-port-rel"),
        volume_auto_delete=plus.boolean("volume-auto-delete"),
        options=_text_pairs(reader, plus, "options"),
        profiles=plus.texts("profiles"),
        config=_text_pairs(reader, plus, "config"),
        vm=plus.boolean("vm"),
    )
    items = [] if (systems := fields.node("systems")) is None else reader.items(systems, "[]*spread.System")
    drafts = tuple([_read_system(reader, name, item) for item in items])
    return BackendDraft(name, line, backend, environment, drafts, {**fields.lines, "": fields.line})


def _read_system(reader: FieldReader, backend: str, node: Node) -> SystemDraft:
    if isinstance(node, ScalarNode):
        name = reader.text(node)
        system = None if is_null(node) else System(name=name, backend=backend, image=name)
        return SystemDraft(system, EnvironmentValue(), node.line)
    pairs = reader.pairs([node], "map[string]spread.norecurse")
    if len(pairs) > 1:
        names = ", ".join(name for name, _, _ in pairs[:-1][:5])
        reader.note(
            f"one entry of the systems of {backend} has several names; {pairs[-1][0]} counts, not {names}",
            node.line,
            hint="write a dash before each system",
        )
    if not pairs:
        return SystemDraft(
            System(name="", backend=backend) if isinstance(node, MappingNode) else None, EnvironmentValue(), node.line
        )
    name, value, line = pairs[-1]
    fields = reader.fields(value, FieldLevel.SYSTEM, "spread.norecurse")
    environment = fields.environment()
    return SystemDraft(_system_of(reader, backend, name, fields, environment), environment, line)


def _system_of(reader: FieldReader, backend: str, name: str, fields: Fields, environment: EnvironmentValue) -> System:
    plus = reader.plus(fields)
    workers = fields.integer("workers")
    return System(
        name=name,
        backend=backend,
        image=fields.text("image") or name,
        kernel=fields.text("kernel"),
        username=fields.text("username"),
        password=fields.text("password"),
        workers=workers or 1,
        storage_bytes=fields.size_bytes("storage"),
        plan=fields.text("plan"),
        networks=fields.texts("networks"),
        groups=fields.texts("groups"),
        secure_boot=fields.boolean("secure-boot"),
        bios=fields.text("bios"),
        cpu_family=fields.text("cpu-family"),
        environment=environment.pairs,
        variants=fields.texts("variants"),
        priority=fields.integer("priority", "int64"),
        manual=fields.boolean("manual"),
        timeouts=Timeouts(wait_s=plus.seconds("wait-timeout")),
        ssh_rsa_key=plus.text("ssh-rsa-key"),
        ssh_key_pass=plus.text("ssh-key-pass"),
        queue=plus.text("queue"),
        reserve_key=plus.text("reserve-key"),
        provision_data=_text_pairs(reader, plus, "provision-data"),
        attach_service_account=plus.boolean("attach-service-account"),
        # ours are nothing to Spread either
        options=_text_pairs(reader, plus, "options"),
        architecture=plus.text("architecture"),
        cores=plus.integer("cores") or 0,
        device_backends=_text_pairs(reader, plus, "device-backends"),
        saved_state=plus.boolean("saved-state"),
        profiles=plus.texts("profiles"),
        config=_text_pairs(reader, plus, "config"),
        vm=plus.boolean("vm"),
    )


def _text_pairs(reader: FieldReader, plus: Fields, name: str) -> tuple[tuple[str, str], ...]:
    node = plus.node(name)
    return () if node is None else reader.plus_text_pairs(node)


def checked_backends(reader: FieldReader, drafts: dict[str, BackendDraft], extra_types: frozenset[str]) -> dict[str, Backend]:
    """Return the backends that have a value, with their systems. Raises ProjectError at the first that is not valid."""
    types = known_backend_types(reader.flavour) | extra_types
    checked: dict[str, Backend] = {}
    for draft in drafts.values():
        if not is_plain_name(draft.name):
            hint = "lower-case words joined by -, . or _"
            raise reader.error(f"invalid backend name: {go_quote(draft.name)}", draft.name_line, hint=hint)
        if draft.backend is None:
            reader.note(f"backend {go_quote(draft.name)} has no value and is ignored", draft.name_line, hint="remove it")
            continue
        _check_backend(reader, draft, draft.backend, types)
        systems = _checked_systems(reader, draft, draft.backend)
        reader.environment_of(f"backend {go_quote(draft.name)}", draft.environment)
        reader.check_system_names(f"backend {go_quote(draft.name)}", systems, _line(draft, "systems"))
        if not systems:
            raise reader.error(f"no systems specified for backend {go_quote(draft.name)}", _line(draft, ""))
        checked[draft.name] = structs.replace(draft.backend, systems=dict(sorted(systems.items())))
    return checked


def _check_backend(reader: FieldReader, draft: BackendDraft, backend: Backend, types: frozenset[str]) -> None:
    owner = f"backend {go_quote(backend.name)}"
    if backend.type not in types:
        raise reader.error(
            f"{owner} has unsupported type {go_quote(backend.type)}",
            _line(draft, "type"),
            hint=f"known: {', '.join(sorted(types))}",
        )
    if backend.type != "adhoc" and (backend.allocate or backend.discard):
        line = _line(draft, "allocate" if backend.allocate else "discard")
        raise reader.error(f"{owner} cannot use allocate and dispose fields", line, hint="only type: adhoc has them")
    if backend.type == "adhoc" and not backend.allocate:
        raise reader.error(f"{owner} requires an allocate field", _line(draft, ""), hint="a script that prints <ADDRESS ...>")


def _checked_systems(reader: FieldReader, draft: BackendDraft, backend: Backend) -> dict[str, System]:
    """Return the systems by name, each with what the backend says for all of them."""
    systems: dict[str, System] = {}
    for entry in draft.systems:
        system = entry.system
        if system is None:
            raise reader.error(
                f"backend {go_quote(backend.name)} has an empty entry in its systems", entry.line, hint="remove it"
            )
        if system.name in systems:
            reader.note(f"backend {go_quote(backend.name)} has system {go_quote(system.name)} twice; the last counts", entry.line)
        if system.workers < 0:
            text = f"backend {go_quote(backend.name)} has system {go_quote(system.name)} with {system.workers} workers"
            raise reader.error(text, entry.line, hint="at least 1")
        reader.environment_of(f"{backend.name}:{system.name}", entry.environment)
        systems[system.name] = structs.replace(
            system,
            storage_bytes=system.storage_bytes or backend.storage_bytes,
            plan=system.plan or backend.plan,
            networks=system.networks or backend.networks,
            groups=system.groups or backend.groups,
            timeouts=Timeouts(wait_s=system.timeouts.wait_s or backend.timeouts.wait_s),
        )
    return systems


def _line(draft: BackendDraft, field: str) -> int:
    return draft.lines.get(field, draft.lines.get("", draft.name_line))

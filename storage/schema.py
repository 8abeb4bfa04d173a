"""The tables of ``posture.db``: one version number for all, and the steps between versions."""

from collections.abc import Callable
from sqlite3 import Connection

SCHEMA_VERSION = 4
"""Version of record, catalogue and results together; stored as SQLite's ``user_version``."""

RECORD = """
CREATE TABLE stream(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    line INTEGER NOT NULL,          -- first stream of this device, boot and kind: one axis
    patient TEXT NOT NULL,
    device_id TEXT NOT NULL,
    boot INTEGER NOT NULL,
    role TEXT NOT NULL,
    kind TEXT NOT NULL,
    variant TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    info TEXT NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0,  -- samples ever committed
    created_ns INTEGER NOT NULL,
    UNIQUE(device_id, boot, kind, variant)
);
CREATE INDEX stream_patient ON stream(patient);
CREATE TABLE packet(
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,
    line INTEGER NOT NULL,
    i0 INTEGER NOT NULL,
    i1 INTEGER NOT NULL,
    k0 INTEGER,                     -- range on the axis that recognises repeats:
    k1 INTEGER,                     -- sample index, or device ticks where the index is the host's
    device_ticks INTEGER,
    anchor INTEGER NOT NULL,        -- 0: rest of a packet whose first row was a repeat
    host_ns INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX packet_line ON packet(line, k1);
CREATE INDEX packet_stream ON packet(stream, i0);
CREATE TABLE segment(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,
    path TEXT NOT NULL UNIQUE,
    i0 INTEGER NOT NULL,
    i1 INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    packets INTEGER NOT NULL,
    host0_ns INTEGER NOT NULL,
    host1_ns INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    supplementary INTEGER NOT NULL,
    damaged TEXT,                   -- why the file was quarantined
    sealed_ns INTEGER NOT NULL,
    uploaded_ns INTEGER
);
CREATE INDEX segment_stream
    ON segment(stream, i0, i1, samples, host0_ns, host1_ns, damaged); -- lists streams alone
CREATE TABLE span(
    segment INTEGER NOT NULL REFERENCES segment(id) ON DELETE CASCADE,
    line INTEGER NOT NULL,
    k0 INTEGER NOT NULL,
    k1 INTEGER NOT NULL
);
CREATE INDEX span_line ON span(line, k1);
CREATE INDEX span_segment ON span(segment);
CREATE TABLE loss(
    stream INTEGER NOT NULL REFERENCES stream(id) ON DELETE CASCADE,
    i0 INTEGER NOT NULL,
    i1 INTEGER NOT NULL,
    cause TEXT NOT NULL,
    noted_ns INTEGER NOT NULL
);
CREATE INDEX loss_stream ON loss(stream, i0);
"""

CATALOG = """
CREATE TABLE patient(
    id TEXT PRIMARY KEY,
    label TEXT NOT NULL,
    zone TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    settings TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE device(
    id TEXT PRIMARY KEY,
    patient TEXT REFERENCES patient(id) ON DELETE SET NULL,
    role TEXT,
    address TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL DEFAULT '',
    calibration TEXT NOT NULL DEFAULT '{}',
    boots INTEGER NOT NULL DEFAULT 0,
    updated_ns INTEGER NOT NULL
);
CREATE TABLE wear_session(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    patient TEXT NOT NULL REFERENCES patient(id) ON DELETE CASCADE,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER,
    alignment_id TEXT,
    detail TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX wear_patient ON wear_session(patient, start_ns);
CREATE TABLE alignment(
    patient TEXT NOT NULL REFERENCES patient(id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    n_id TEXT NOT NULL,
    valid_from_ns INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY(patient, id)
);
CREATE TABLE span_event(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    patient TEXT NOT NULL REFERENCES patient(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    sigma_deg REAL,
    detail TEXT NOT NULL DEFAULT '{}'
);
CREATE INDEX span_event_patient ON span_event(patient, start_ns);
CREATE TABLE annotation(
    id TEXT PRIMARY KEY,
    patient TEXT NOT NULL REFERENCES patient(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    body TEXT NOT NULL,
    author TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX annotation_patient ON annotation(patient, start_ns);
CREATE TABLE annotation_history(
    annotation TEXT NOT NULL REFERENCES annotation(id) ON DELETE CASCADE,
    changed_ns INTEGER NOT NULL,
    author TEXT NOT NULL,
    before TEXT NOT NULL
);
CREATE TABLE treatment(
    id TEXT PRIMARY KEY,
    patient TEXT NOT NULL REFERENCES patient(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    at_ns INTEGER NOT NULL,
    body TEXT NOT NULL,
    updated_ns INTEGER NOT NULL
);
CREATE TABLE exercise_session(
    id TEXT PRIMARY KEY,
    patient TEXT NOT NULL REFERENCES patient(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE setting(
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY(scope, key)
);
CREATE TABLE audit(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ns INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT '{}'
);
"""

RESULTS = """
CREATE TABLE algorithm(
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    version TEXT NOT NULL,
    params_hash TEXT NOT NULL,
    params TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    complete INTEGER NOT NULL DEFAULT 0,
    current INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(patient, algo)
);
CREATE TABLE provenance(
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    day_ns INTEGER NOT NULL,
    zone TEXT NOT NULL,
    alignment_ids TEXT NOT NULL,
    notes TEXT NOT NULL DEFAULT '{}',
    PRIMARY KEY(patient, algo, day_ns)
) WITHOUT ROWID;
CREATE TABLE fieldset(
    id INTEGER PRIMARY KEY,
    names TEXT NOT NULL UNIQUE
);
CREATE TABLE angle_minute(
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    minute INTEGER NOT NULL,        -- minutes since 1970
    data BLOB NOT NULL,
    PRIMARY KEY(patient, algo, minute)
);
CREATE TABLE summary(
    tier TEXT NOT NULL,             -- minute | day
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    t_ns INTEGER NOT NULL,
    fields INTEGER NOT NULL REFERENCES fieldset(id),
    data BLOB NOT NULL,
    PRIMARY KEY(tier, patient, algo, t_ns)
);
CREATE TABLE result_text(           -- what is no number, for every store of results
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    tier TEXT NOT NULL,             -- minute | day | episode
    t_ns INTEGER NOT NULL,
    key TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY(patient, algo, tier, t_ns, key)
) WITHOUT ROWID;
CREATE TABLE episode(
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    end_ns INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY(patient, algo, start_ns, kind)
);
CREATE TABLE cell(
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    plane TEXT NOT NULL,            -- rl: rotation against lateral tilt, rf: against flexion
    t_ns INTEGER NOT NULL,          -- quarter hour
    data BLOB NOT NULL,             -- (n, 3) float32: rotation bin, other bin, seconds
    PRIMARY KEY(patient, algo, plane, t_ns)
) WITHOUT ROWID;
CREATE TABLE cursor(
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    updated_ns INTEGER NOT NULL,
    PRIMARY KEY(patient, algo, key)
);
CREATE TABLE full_rate_part(        -- in the order of writing: later rows replace earlier ones
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    t0_ns INTEGER NOT NULL,
    t1_ns INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX full_rate_part_time ON full_rate_part(patient, algo, t1_ns);
CREATE TABLE full_rate_file(
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    t0_ns INTEGER NOT NULL,
    t1_ns INTEGER NOT NULL,
    path TEXT NOT NULL UNIQUE,
    rows INTEGER NOT NULL,
    PRIMARY KEY(patient, algo, t0_ns)
);
CREATE TABLE outbox(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    patient TEXT NOT NULL,
    target TEXT NOT NULL,           -- bucket
    action TEXT NOT NULL,           -- write | delete
    body BLOB NOT NULL,
    points INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    t_max_ns INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    alone INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX outbox_patient ON outbox(patient, id);
CREATE TABLE dead_letter(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    patient TEXT NOT NULL,
    target TEXT NOT NULL,
    action TEXT NOT NULL,
    body BLOB NOT NULL,
    points INTEGER NOT NULL,
    created_ns INTEGER NOT NULL,
    t_max_ns INTEGER NOT NULL,
    refused_ns INTEGER NOT NULL,
    status INTEGER NOT NULL,
    reason TEXT NOT NULL
);
"""

ACCESS = (
    """CREATE TABLE account(
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    password TEXT NOT NULL,         -- argon2id, with its parameters and salt
    created_ns INTEGER NOT NULL,
    disabled_ns INTEGER
);""",
    """CREATE TABLE patient_grant(
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES account(id) ON DELETE CASCADE,
    patient TEXT NOT NULL REFERENCES patient(id) ON DELETE CASCADE,
    identified INTEGER NOT NULL,    -- 1: also identities and true dates
    created_ns INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_ns INTEGER,
    withdrawn_ns INTEGER
);""",
    """CREATE TABLE login(
    hash BLOB PRIMARY KEY,          -- sha256 of the cookie's value
    account TEXT NOT NULL REFERENCES account(id) ON DELETE CASCADE,
    created_ns INTEGER NOT NULL,
    seen_ns INTEGER NOT NULL,
    expires_ns INTEGER NOT NULL
);""",
    """CREATE TABLE failed_login(
    who TEXT PRIMARY KEY,           -- hash of a name or of an address, never what was typed
    tries INTEGER NOT NULL,
    last_ns INTEGER NOT NULL
);""",
    """CREATE TABLE token(
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,      -- sha256 of the token, which is kept nowhere
    label TEXT NOT NULL,
    account TEXT REFERENCES account(id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    blind INTEGER NOT NULL,         -- 1: pseudonyms and shifted dates
    created_ns INTEGER NOT NULL,
    expires_ns INTEGER NOT NULL,
    used_ns INTEGER,
    revoked_ns INTEGER
);""",
    """CREATE TABLE token_patient(
    token TEXT NOT NULL REFERENCES token(id) ON DELETE CASCADE,
    patient TEXT NOT NULL REFERENCES patient(id) ON DELETE CASCADE,
    PRIMARY KEY(token, patient)
);""",
    # The only change an entry can see: its subject is erased and becomes a tombstone.
    """CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
WHEN NEW.id IS NOT OLD.id OR NEW.at_ns IS NOT OLD.at_ns OR NEW.actor IS NOT OLD.actor
    OR NEW.action IS NOT OLD.action OR NEW.subject NOT LIKE 'erased-%' OR NEW.detail IS NOT '{}'
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;""",
    """CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;""",
)
"""Who may see what, and the audit log's guard; statement by statement, for the migration."""

TABLES = RECORD + CATALOG + RESULTS + "\n".join(ACCESS)

Migration = Callable[[Connection], None]


def _add_access(connection: Connection) -> None:
    for statement in ACCESS:
        connection.execute(statement)


def _add_plane(connection: Connection) -> None:
    """Give cells of the posture map their plane: all were of rotation against lateral tilt."""
    connection.execute("ALTER TABLE cell RENAME TO cell_v2")
    connection.execute(
        """CREATE TABLE cell(
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    plane TEXT NOT NULL,
    t_ns INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY(patient, algo, plane, t_ns)
) WITHOUT ROWID"""
    )
    connection.execute("INSERT INTO cell SELECT patient, algo, 'rl', t_ns, data FROM cell_v2")
    connection.execute("DROP TABLE cell_v2")


def _order_parts(connection: Connection) -> None:
    """Make the table that full-rate rows wait in anew: until now nothing wrote to it."""
    connection.execute("DROP TABLE full_rate_part")
    connection.execute(
        """CREATE TABLE full_rate_part(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    patient TEXT NOT NULL,
    algo TEXT NOT NULL,
    t0_ns INTEGER NOT NULL,
    t1_ns INTEGER NOT NULL,
    data BLOB NOT NULL
)"""
    )
    connection.execute("CREATE INDEX full_rate_part_time ON full_rate_part(patient, algo, t1_ns)")


MIGRATIONS: dict[int, Migration] = {1: _add_access, 2: _add_plane, 3: _order_parts}
"""Step from version k to k + 1, run inside one transaction after the database was copied."""

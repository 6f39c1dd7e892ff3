-- A recording of whichworker: which worker process served which request.
--
-- Open it with anything that reads SQLite. Begin with:
--     SELECT * FROM timeline;      what happened, one exchange a line
--     SELECT * FROM splits;        where a client went from one worker to another
-- `whichworker report FILE` says what it means.
--
-- Times (…_us) are microseconds since 1970, UTC, of a clock that never goes back within the run.
-- NULL: that never happened, or nobody knows.

PRAGMA application_id = 2004316779;     -- 0x7777726b, "wwrk"
PRAGMA user_version = 1;                -- of this schema; a reader refuses what is newer than itself

CREATE TABLE run (
  -- The recording as a whole: one row.
  id INTEGER PRIMARY KEY CHECK (id = 1),
  version TEXT NOT NULL,                -- of whichworker
  upstream TEXT NOT NULL,               -- the address in front of which it stood
  upstream_connections TEXT NOT NULL,   -- fresh, mirror, pool: pooled connections hide splits
  schedule TEXT NOT NULL,               -- natural, scatter, sticky
  started_us INTEGER NOT NULL,
  ended_us INTEGER,                     -- NULL: still running, or killed
  stalls INTEGER NOT NULL DEFAULT 0,    -- how often reading stopped because the recorder was behind
  lost INTEGER NOT NULL DEFAULT 0       -- exchanges that could not be written (a full disk)
) STRICT;

CREATE TABLE worker (
  -- A process that answered requests. PIDs are reused, so the start time belongs to the identity.
  pid INTEGER NOT NULL,
  start_ticks INTEGER NOT NULL,         -- field 22 of /proc/PID/stat; 0: not known
  slot INTEGER NOT NULL,                -- a successor takes the slot of a worker that died
  started_us INTEGER,
  ended_us INTEGER,                     -- NULL: not seen to have ended
  command TEXT NOT NULL,                -- from /proc/PID/cmdline, cut
  PRIMARY KEY (pid, start_ticks)
) STRICT, WITHOUT ROWID;

CREATE TABLE connection (
  -- A client's connection.
  id INTEGER PRIMARY KEY,
  peer TEXT NOT NULL,                   -- 127.0.0.1:41234
  opened_us INTEGER NOT NULL,
  closed_us INTEGER                     -- NULL: still open when the recording ended
) STRICT;

CREATE TABLE body (
  -- A message body, as a rule once for each content; a content that was not seen for long may come
  -- again. Content coding (gzip …) is still on it; session ids and tokens in it are "mac:…".
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,                   -- BLAKE2b-256 of bytes
  bytes BLOB NOT NULL
) STRICT;

CREATE TABLE payload (
  -- What a cookie or token says that anybody can read without its key.
  value TEXT NOT NULL PRIMARY KEY,      -- as it stands in the exchanges
  form TEXT NOT NULL,                   -- itsdangerous, django, jwt
  json TEXT NOT NULL,
  content TEXT                          -- names what was signed: equal content under another value was
                                        -- signed with another key. NULL: that does not follow
) STRICT, WITHOUT ROWID;

CREATE TABLE exchange (
  -- One request and what came back for it. Sessions are computed by the report, never stored.
  id INTEGER PRIMARY KEY,               -- the order in which the request heads were complete
  connection INTEGER NOT NULL,          -- connection.id
  upstream INTEGER NOT NULL,            -- a number for the connection to the worker; 0: none was made
  request_id TEXT,                      -- X-Request-ID
  client TEXT,                          -- the client's address without its port

  started_us INTEGER NOT NULL,          -- the first byte of the request came
  connected_us INTEGER,                 -- the worker's kernel took our connection
  accepted_us INTEGER,                  -- a worker was seen to have accepted it
  answered_us INTEGER,                  -- the first byte of the response came
  ended_us INTEGER,                     -- the last byte went to the client, or it failed

  attributed_by TEXT NOT NULL,          -- kernel, preload, header; ambiguous, unknown: no worker is
                                        -- claimed; none: the request never reached a worker
  pid INTEGER,                          -- the worker: worker (pid, start_ticks)
  start_ticks INTEGER,
  also_by TEXT,                         -- another source that named somebody else; NULL: none did
  also_pid INTEGER,
  also_start_ticks INTEGER,             -- 0: not known

  method TEXT,
  target TEXT,                          -- path and query as sent, but session ids and tokens "mac:…"
  request_minor INTEGER NOT NULL,       -- HTTP/1.x
  request_fields TEXT NOT NULL,         -- "Name: value" lines, in their order. Secrets are "mac:…"
  request_body INTEGER,                 -- body.id; NULL: nothing was kept
  request_size INTEGER NOT NULL,        -- bytes that went over the wire; more than kept: it was cut

  status INTEGER NOT NULL,              -- 0: no response
  response_fields TEXT NOT NULL,
  response_body INTEGER,
  response_size INTEGER NOT NULL,
  ended_as TEXT NOT NULL                -- complete, client-gone, upstream-cut …
) STRICT;

CREATE INDEX exchange_by_time ON exchange (started_us);         -- and by id, which is the rowid

CREATE VIEW timeline AS
  -- One exchange a line, in order of time.
SELECT
  x.id,
  strftime('%H:%M:%f', x.started_us / 1e6, 'unixepoch') AS at,  -- UTC
  x.client,
  x.connection,
  x.pid AS worker,                      -- its PID
  w.slot,
  x.method,
  x.target,
  x.status,
  round((x.ended_us - x.started_us) / 1e3, 1) AS ms,
  round((x.accepted_us - x.connected_us) / 1e3, 1) AS queue_ms, -- waited for a worker to accept it
  round((x.answered_us - coalesce(x.accepted_us, x.connected_us)) / 1e3, 1) AS answer_ms,
  x.request_size,
  x.response_size,
  CASE                                  -- whose body was recorded only in part
    WHEN coalesce(length(q.bytes), 0) < x.request_size
     AND coalesce(length(a.bytes), 0) < x.response_size THEN 'both'
    WHEN coalesce(length(q.bytes), 0) < x.request_size THEN 'request'
    WHEN coalesce(length(a.bytes), 0) < x.response_size THEN 'response'
  END AS cut,
  x.ended_as,
  x.attributed_by
FROM exchange AS x
LEFT JOIN worker AS w ON w.pid = x.pid AND w.start_ticks = x.start_ticks
LEFT JOIN body AS q ON q.id = x.request_body
LEFT JOIN body AS a ON a.id = x.response_body
ORDER BY x.started_us, x.id;

CREATE VIEW splits AS
  -- Where a client's next exchange was served by another worker. Information, not a fault: the
  -- workers may well agree. SQL cannot follow a session through its cookies as the report does, so
  -- "a client" is here one of two things, named by `same`:
  --   connection   two exchanges in a row on one connection of the client: one user, unless a proxy
  --                or load balancer in front of us shares its connections between users;
  --   address      two exchanges in a row from one address, over two connections: one user only if
  --                nobody else stands behind that address (so it is for a test on loopback).
  -- Both leave out exchanges that overlap (neither came first), and claim nothing where a worker is
  -- not known. Requests that never reached a worker count as if they had not been sent.
WITH served AS (
  SELECT *,
    lag(id) OVER on_connection AS connection_from,
    lag(id) OVER at_address AS address_from
  FROM exchange
  WHERE attributed_by <> 'none'
  WINDOW
    on_connection AS (PARTITION BY connection ORDER BY started_us, id),
    at_address AS (PARTITION BY client ORDER BY started_us, id)
),
pair AS (
  SELECT 'connection' AS same, connection_from AS from_id, served.* FROM served
  UNION ALL
  SELECT 'address', address_from, served.* FROM served
  WHERE client IS NOT NULL AND address_from IS NOT connection_from
)
SELECT
  b.same,
  b.client,
  a.id AS from_exchange,
  a.pid AS from_worker,
  a.method || ' ' || a.target AS from_request,
  b.id AS to_exchange,
  b.pid AS to_worker,
  b.method || ' ' || b.target AS to_request,
  round((b.started_us - a.ended_us) / 1e3, 1) AS gap_ms
FROM pair AS b
JOIN exchange AS a ON a.id = b.from_id
WHERE a.ended_us <= b.started_us
  AND (a.pid <> b.pid OR a.start_ticks <> b.start_ticks)
ORDER BY b.started_us, b.id, b.same;

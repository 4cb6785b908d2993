CREATE TABLE cells (
	cell VARCHAR(64) NOT NULL,
	epoch BIGINT NOT NULL,
	owner VARCHAR(255) NOT NULL,
	taken_us BIGINT NOT NULL,
	PRIMARY KEY (cell),
	CONSTRAINT ck_cells_epoch CHECK (epoch > 0)
);

CREATE TABLE durations (
	project VARCHAR(255) NOT NULL,
	job_key VARCHAR(512) NOT NULL,
	duration_us BIGINT NOT NULL,
	updated_us BIGINT NOT NULL,
	CONSTRAINT pk_durations PRIMARY KEY (project, job_key),
	CONSTRAINT ck_durations_duration CHECK (duration_us >= 0)
)
 WITHOUT ROWID;

CREATE TABLE events (
	event_key INTEGER NOT NULL,
	at_us BIGINT NOT NULL,
	kind VARCHAR(32) NOT NULL,
	run_id VARCHAR(64) NOT NULL,
	object VARCHAR(512) NOT NULL,
	actor VARCHAR(255) NOT NULL,
	reason TEXT NOT NULL,
	PRIMARY KEY (event_key)
);

CREATE INDEX ix_events_at_us ON events (at_us);

CREATE INDEX ix_events_run_id ON events (run_id);

CREATE TABLE machines (
	machine_id VARCHAR(64) NOT NULL,
	run_id VARCHAR(64) NOT NULL,
	backend VARCHAR(255) NOT NULL,
	backend_type VARCHAR(255) NOT NULL,
	system VARCHAR(255) NOT NULL,
	state VARCHAR(16) NOT NULL,
	name VARCHAR(255) NOT NULL,
	address VARCHAR(255) NOT NULL,
	record TEXT NOT NULL,
	requested_us BIGINT NOT NULL,
	ready_us BIGINT,
	gone_us BIGINT,
	last_error TEXT,
	held_until_us BIGINT,
	hold_reason TEXT,
	PRIMARY KEY (machine_id),
	CONSTRAINT ck_machines_state CHECK (state IN ('requested', 'ready', 'kept', 'discarding', 'gone')),
	CONSTRAINT ck_machines_gone CHECK ((state = 'gone') = (gone_us IS NOT NULL))
);

CREATE INDEX ix_machines_run_id ON machines (run_id);

CREATE INDEX ix_machines_state ON machines (state);

CREATE TABLE runs (
	run_key INTEGER NOT NULL,
	run_id VARCHAR(64) NOT NULL,
	digest VARCHAR(64) NOT NULL,
	owner VARCHAR(255) NOT NULL,
	project VARCHAR(255) NOT NULL,
	root TEXT NOT NULL,
	options TEXT NOT NULL,
	seed BIGINT NOT NULL,
	seed_matters BOOLEAN NOT NULL,
	state VARCHAR(16) NOT NULL,
	process VARCHAR(255) NOT NULL,
	submitted_us BIGINT NOT NULL,
	cancelled_us BIGINT,
	cancel_reason TEXT,
	finished_us BIGINT,
	passed BOOLEAN,
	total_jobs INTEGER NOT NULL,
	kind VARCHAR(16) DEFAULT 'sessions' NOT NULL,
	name VARCHAR(255) DEFAULT '' NOT NULL,
	counts TEXT,
	PRIMARY KEY (run_key),
	CONSTRAINT uq_runs_run_id UNIQUE (run_id),
	CONSTRAINT ck_runs_state CHECK (state IN ('running', 'done', 'cancelled')),
	CONSTRAINT ck_runs_finished CHECK ((state = 'running') = (finished_us IS NULL)),
	CONSTRAINT ck_runs_passed CHECK ((state = 'running') = (passed IS NULL))
);

CREATE INDEX ix_runs_submitted_us ON runs (submitted_us);

CREATE TABLE tokens (
	token_id VARCHAR(32) NOT NULL,
	name VARCHAR(255) NOT NULL,
	role VARCHAR(16) NOT NULL,
	digest VARCHAR(64) NOT NULL,
	created_us BIGINT NOT NULL,
	last_used_us BIGINT,
	expires_us BIGINT,
	revoked_us BIGINT,
	PRIMARY KEY (token_id),
	CONSTRAINT uq_tokens_digest UNIQUE (digest),
	CONSTRAINT ck_tokens_role CHECK (role IN ('submit', 'work', 'admin'))
);

CREATE TABLE worker_holds (
	worker VARCHAR(255) NOT NULL,
	reason TEXT NOT NULL,
	since_us BIGINT NOT NULL,
	until_us BIGINT NOT NULL,
	PRIMARY KEY (worker)
);

CREATE TABLE jobs (
	run_key BIGINT NOT NULL,
	number INTEGER NOT NULL,
	name VARCHAR(512) NOT NULL,
	priority BIGINT NOT NULL,
	state VARCHAR(16) NOT NULL,
	outcome VARCHAR(16),
	reason TEXT,
	fence BIGINT NOT NULL,
	attempts INTEGER NOT NULL,
	infra_failures INTEGER NOT NULL,
	decided_us BIGINT,
	flaky BOOLEAN DEFAULT '0' NOT NULL,
	CONSTRAINT pk_jobs PRIMARY KEY (run_key, number),
	CONSTRAINT uq_jobs_name UNIQUE (run_key, name),
	CONSTRAINT fk_jobs_run FOREIGN KEY(run_key) REFERENCES runs (run_key) ON DELETE CASCADE,
	CONSTRAINT ck_jobs_state CHECK (state IN ('queued', 'claimed', 'running', 'collecting', 'done', 'cancelled')),
	CONSTRAINT ck_jobs_outcome CHECK (outcome IS NULL OR outcome IN ('passed', 'failed', 'timeout', 'aborted', 'skipped', 'cancelled', 'infra')),
	CONSTRAINT ck_jobs_done CHECK ((state = 'done') = (outcome IS NOT NULL)),
	CONSTRAINT ck_jobs_decided CHECK ((state IN ('done', 'cancelled')) = (decided_us IS NOT NULL)),
	CONSTRAINT ck_jobs_fence CHECK (state IN ('queued', 'cancelled', 'done') OR fence > 0),
	CONSTRAINT ck_jobs_counts CHECK (number >= 0 AND fence >= 0 AND attempts >= 0 AND infra_failures >= 0)
)
 WITHOUT ROWID;

CREATE TABLE attempts (
	run_key BIGINT NOT NULL,
	job_number INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	fence BIGINT NOT NULL,
	seat_id VARCHAR(255) NOT NULL,
	worker VARCHAR(255) NOT NULL,
	machine_id VARCHAR(64) NOT NULL,
	machine VARCHAR(255) NOT NULL,
	started_us BIGINT NOT NULL,
	finished_us BIGINT,
	duration_us BIGINT,
	outcome VARCHAR(16),
	decides BOOLEAN NOT NULL,
	deciding_job INTEGER GENERATED ALWAYS AS (CASE WHEN decides THEN job_number END) STORED,
	verb VARCHAR(16),
	level VARCHAR(16),
	exit_code INTEGER,
	signal INTEGER,
	reason TEXT,
	log_offset BIGINT,
	log_bytes BIGINT,
	fetch_us BIGINT,
	collect_us BIGINT,
	outputs VARCHAR(96),
	remark TEXT,
	place INTEGER,
	CONSTRAINT pk_attempts PRIMARY KEY (run_key, job_number, attempt),
	CONSTRAINT uq_attempts_deciding_job UNIQUE (run_key, deciding_job),
	CONSTRAINT fk_attempts_job FOREIGN KEY(run_key, job_number) REFERENCES jobs (run_key, number) ON DELETE CASCADE,
	CONSTRAINT ck_attempts_outcome CHECK (outcome IS NULL OR outcome IN ('passed', 'failed', 'timeout', 'aborted', 'skipped', 'cancelled', 'infra')),
	CONSTRAINT ck_attempts_finished CHECK ((outcome IS NULL) = (finished_us IS NULL)),
	CONSTRAINT ck_attempts_decides CHECK (NOT decides OR outcome IS NOT NULL),
	CONSTRAINT ck_attempts_numbers CHECK (attempt > 0 AND fence > 0),
	CONSTRAINT ck_attempts_log CHECK ((log_offset IS NULL) = (log_bytes IS NULL))
)
 WITHOUT ROWID;

CREATE UNIQUE INDEX uq_attempts_place ON attempts (run_key, place);

CREATE TABLE commands (
	run_key BIGINT NOT NULL,
	number INTEGER NOT NULL,
	job_key VARCHAR(512) NOT NULL,
	job TEXT NOT NULL,
	CONSTRAINT pk_commands PRIMARY KEY (run_key, number),
	CONSTRAINT fk_commands_job FOREIGN KEY(run_key, number) REFERENCES jobs (run_key, number) ON DELETE CASCADE
)
 WITHOUT ROWID;

CREATE INDEX ix_commands_job_key ON commands (job_key);

CREATE TABLE log_pieces (
	run_key BIGINT NOT NULL,
	job_number INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	piece INTEGER NOT NULL,
	log_offset BIGINT NOT NULL,
	log_bytes BIGINT NOT NULL,
	CONSTRAINT pk_log_pieces PRIMARY KEY (run_key, job_number, attempt, piece),
	CONSTRAINT fk_log_pieces_job FOREIGN KEY(run_key, job_number) REFERENCES jobs (run_key, number) ON DELETE CASCADE
)
 WITHOUT ROWID;


-- No more than the requests need.
CREATE TABLE users (id text PRIMARY KEY, email text NOT NULL);
CREATE TABLE api_keys (hash bytea PRIMARY KEY, user_id text NOT NULL REFERENCES users);
CREATE TABLE payments (
    id text PRIMARY KEY, user_id text NOT NULL REFERENCES users, amount_minor bigint NOT NULL, currency text NOT NULL,
    status text NOT NULL, description text NOT NULL, created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE notices (key text PRIMARY KEY, kind text NOT NULL, body bytea NOT NULL);

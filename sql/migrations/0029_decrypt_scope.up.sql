-- Why: a key may read what is encrypted in plain text, by a scope of its own. ACCESS EXCLUSIVE on access_keys for a look at its
-- rows, some hundred; reading it waits no longer than that.
ALTER TABLE public.access_keys
    DROP CONSTRAINT access_keys_scopes_check,
    ADD CONSTRAINT access_keys_scopes_check CHECK (
        scopes <@ ARRAY['write', 'read', 'decrypt', 'admin'] AND cardinality(scopes) > 0
    );

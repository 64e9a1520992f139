-- Why: undoes 0029. ACCESS EXCLUSIVE on access_keys for a look at its rows. Keys that may only decrypt are revoked and become
-- ones that read; others lose the scope.
UPDATE public.access_keys
SET
    revoked_at = CASE WHEN scopes = ARRAY['decrypt'] THEN least(revoked_at, now()) ELSE revoked_at END,
    scopes = CASE WHEN scopes = ARRAY['decrypt'] THEN ARRAY['read'] ELSE array_remove(scopes, 'decrypt') END
WHERE 'decrypt' = ANY (scopes);

ALTER TABLE public.access_keys
    DROP CONSTRAINT access_keys_scopes_check,
    ADD CONSTRAINT access_keys_scopes_check CHECK (scopes <@ ARRAY['write', 'read', 'admin'] AND cardinality(scopes) > 0);

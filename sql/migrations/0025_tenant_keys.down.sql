-- Why: as it was before 0025. `millrace migrate down` builds the indexes first, and refuses where two tenants share an id.
DO $$
DECLARE
    target record;
    leaf record;
BEGIN
    FOR target IN
        SELECT
            wanted.name::regclass AS name,
            wanted.columns,
            own.conname AS key,
            relation.relkind = 'p' AS is_parent,
            pg_get_constraintdef(own.oid) = format('PRIMARY KEY (%s)', wanted.columns) AS is_done
        FROM (
            VALUES
                ('public.analytics_events', 'created_at, id'),
                ('public.conversations', 'created_at, id'),
                ('public.event_ids', 'id'),
                ('public.outbox', 'created_at, id')
        ) AS wanted (name, columns)
        JOIN pg_class AS relation ON relation.oid = wanted.name::regclass
        JOIN pg_constraint AS own ON own.conrelid = relation.oid AND own.contype = 'p'
    LOOP
        CONTINUE WHEN target.is_done;
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', target.name, target.key);
        FOR leaf IN
            SELECT state.indrelid::regclass AS name, relation.relname, index.relname AS index
            FROM pg_index AS state
            JOIN pg_class AS relation ON relation.oid = state.indrelid
            JOIN pg_class AS index ON index.oid = state.indexrelid
            WHERE index.relname = 'millrace_key_' || state.indrelid
                AND (state.indrelid = target.name OR state.indrelid IN (SELECT relid FROM pg_partition_tree(target.name)))
        LOOP
            EXECUTE format(
                'ALTER TABLE %s ADD CONSTRAINT %I PRIMARY KEY USING INDEX %I',
                leaf.name, left(leaf.relname, 58) || '_pkey', leaf.index
            );
        END LOOP;
        IF target.is_parent THEN
            EXECUTE format(
                'ALTER TABLE %s ADD CONSTRAINT %I PRIMARY KEY (%s)', target.name, target.key, target.columns
            );
        END IF;
    END LOOP;
END
$$;

-- Why: a shop, from catalogue to order, and its checkout as one transaction. No foreign keys: rows come from events, and
-- an event may come before the one that makes its parent; what must keep its history (orders, their items) is never
-- deleted by another row's end. Rows are deleted softly, so that an event that comes late can't bring them back; columns
-- may be NULL where deleted_at is set, because a tombstone that comes first knows the key only.
CREATE EXTENSION IF NOT EXISTS pg_trgm
    WITH SCHEMA public;

CREATE TYPE commerce_user_role AS ENUM ('admin', 'customer');
CREATE TYPE commerce_order_status AS ENUM ('pending', 'paid', 'shipped', 'cancelled');

CREATE TABLE commerce_users (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    email text,
    password_hash text,
    name text,
    role commerce_user_role,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT commerce_users_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT commerce_users_email_check CHECK (deleted_at IS NOT NULL OR (email IS NOT NULL AND email LIKE '%_@_%')),
    CONSTRAINT commerce_users_role_check CHECK (deleted_at IS NOT NULL OR role IS NOT NULL)
);

CREATE UNIQUE INDEX commerce_users_email_key
    ON commerce_users (tenant_id, email)
    WHERE deleted_at IS NULL;

-- ON DELETE SET NULL of a user's events: queued for whoever erases users. The live tables only: another version that is
-- built or recounted has the same users.
CREATE FUNCTION commerce_users_changed()
    RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
    IF TG_TABLE_SCHEMA <> 'projections' THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.user_erasures (tenant_id, user_id, pack, deleted_at)
    SELECT tenant_id, id, 'commerce', deleted_at
    FROM changed
    WHERE deleted_at IS NOT NULL
    ORDER BY tenant_id, id
    ON CONFLICT DO NOTHING;

    DELETE FROM public.user_erasures AS erasure
    USING changed
    WHERE changed.deleted_at IS NULL
        AND erasure.tenant_id = changed.tenant_id
        AND erasure.user_id = changed.id
        AND erasure.pack = 'commerce';
    RETURN NULL;
END
$$;

CREATE TRIGGER commerce_users_inserted
    AFTER INSERT ON commerce_users
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION commerce_users_changed();

CREATE TRIGGER commerce_users_updated
    AFTER UPDATE ON commerce_users
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION commerce_users_changed();

CREATE TABLE commerce_carts (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    user_id uuid,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT commerce_carts_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT commerce_carts_user_id_check CHECK (deleted_at IS NOT NULL OR user_id IS NOT NULL)
);

CREATE UNIQUE INDEX commerce_carts_user_id_key
    ON commerce_carts (tenant_id, user_id)
    WHERE deleted_at IS NULL;

CREATE TABLE commerce_cart_items (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    cart_id uuid,
    product_id uuid,
    quantity integer,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT commerce_cart_items_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT commerce_cart_items_cart_id_check CHECK (deleted_at IS NOT NULL OR cart_id IS NOT NULL),
    CONSTRAINT commerce_cart_items_product_id_check CHECK (deleted_at IS NOT NULL OR product_id IS NOT NULL),
    CONSTRAINT commerce_cart_items_quantity_check CHECK (quantity > 0 AND (deleted_at IS NOT NULL OR quantity IS NOT NULL))
);

-- Finds a cart's items too.
CREATE UNIQUE INDEX commerce_cart_items_cart_id_product_id_key
    ON commerce_cart_items (tenant_id, cart_id, product_id)
    WHERE deleted_at IS NULL;

CREATE TABLE commerce_products (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    name text,
    description text,
    price numeric(12, 2),
    stock integer,
    active boolean,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT commerce_products_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT commerce_products_name_check CHECK (deleted_at IS NOT NULL OR (name IS NOT NULL AND name <> '')),
    CONSTRAINT commerce_products_price_check CHECK (
        price >= 0 AND price <> 'NaN' AND (deleted_at IS NOT NULL OR price IS NOT NULL)
    ),
    CONSTRAINT commerce_products_stock_check CHECK (deleted_at IS NOT NULL OR stock IS NOT NULL),
    CONSTRAINT commerce_products_active_check CHECK (deleted_at IS NOT NULL OR active IS NOT NULL)
);

CREATE INDEX commerce_products_active_created_at_idx
    ON commerce_products (tenant_id, active, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

-- Without a pending list, which each search would read: a catalogue is searched more often than it changes.
CREATE INDEX commerce_products_name_idx
    ON commerce_products
    USING gin (name public.gin_trgm_ops) WITH (fastupdate = off)
    WHERE deleted_at IS NULL;

-- What a product's stock grew or shrank by. They add up in any order.
CREATE TABLE commerce_stock_changes (
    tenant_id integer NOT NULL DEFAULT 0,
    event_id uuid NOT NULL,
    event_at timestamptz NOT NULL,
    product_id uuid NOT NULL,
    difference integer NOT NULL,
    order_id uuid,
    reason text,
    CONSTRAINT commerce_stock_changes_pkey PRIMARY KEY (tenant_id, event_at, event_id)
);

CREATE INDEX commerce_stock_changes_product_id_event_at_idx
    ON commerce_stock_changes (tenant_id, product_id, event_at, event_id);

CREATE INDEX commerce_stock_changes_order_id_idx
    ON commerce_stock_changes (tenant_id, order_id);

-- Two who make a product and its first change at the same time wait for each other here: neither sees the other's row.
CREATE TABLE commerce_stock_keys (
    tenant_id integer NOT NULL,
    product_id uuid NOT NULL,
    CONSTRAINT commerce_stock_keys_key UNIQUE (tenant_id, product_id)
);

-- A product's stock is what its last commerce.product_saved said, and the changes that came after it by (event_at,
-- event_id): a function of the events, whatever their order of arrival. What was saved is not below 0; with the changes it
-- may be, while one that makes up for it is under way, or where more was taken than was known to be there.
CREATE FUNCTION commerce_products_before()
    RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.event_at, NEW.event_id) = (OLD.event_at, OLD.event_id) THEN
        RETURN NEW;
    END IF;
    -- Of an upsert that finds the row this is the second time, so the changes are added below only.
    IF NEW.stock < 0 THEN
        RAISE EXCEPTION 'product % has a stock of %', NEW.id, NEW.stock
            USING ERRCODE = 'check_violation', TABLE = 'commerce_products', CONSTRAINT = 'commerce_products_stock_check';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        NEW.stock := NEW.stock + coalesce((
            SELECT sum(change.difference)
            FROM commerce_stock_changes AS change
            WHERE change.tenant_id = NEW.tenant_id
                AND change.product_id = NEW.id
                AND (change.event_at, change.event_id) > (NEW.event_at, NEW.event_id)
        ), 0);
    END IF;
    RETURN NEW;
END
$$;

CREATE FUNCTION commerce_products_inserted()
    RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO commerce_stock_keys AS kept (tenant_id, product_id)
    SELECT tenant_id, id FROM added ORDER BY tenant_id, id
    ON CONFLICT (tenant_id, product_id) DO UPDATE SET product_id = kept.product_id;

    UPDATE commerce_products AS product
    SET stock = product.stock + changes.difference
    FROM (
        SELECT added.tenant_id, added.id, sum(change.difference) AS difference
        FROM added
        JOIN commerce_stock_changes AS change
            ON change.tenant_id = added.tenant_id
            AND change.product_id = added.id
            AND (change.event_at, change.event_id) > (added.event_at, added.event_id)
        GROUP BY added.tenant_id, added.id
    ) AS changes
    WHERE product.tenant_id = changes.tenant_id
        AND product.id = changes.id;
    RETURN NULL;
END
$$;

CREATE FUNCTION commerce_stock_changed()
    RETURNS trigger
    LANGUAGE plpgsql
    SET search_path FROM CURRENT
AS $$
BEGIN
    INSERT INTO commerce_stock_keys AS kept (tenant_id, product_id)
    SELECT DISTINCT tenant_id, product_id
    FROM changed
    WHERE NOT EXISTS (
        SELECT FROM commerce_products AS product
        WHERE product.tenant_id = changed.tenant_id
            AND product.id = changed.product_id
    )
    ORDER BY tenant_id, product_id
    ON CONFLICT (tenant_id, product_id) DO UPDATE SET product_id = kept.product_id;

    -- In the order of the keys, as everybody locks products.
    PERFORM
    FROM commerce_products AS product
    WHERE (product.tenant_id, product.id) IN (SELECT tenant_id, product_id FROM changed)
    ORDER BY product.tenant_id, product.id
    FOR NO KEY UPDATE;

    UPDATE commerce_products AS product
    SET stock = product.stock + CASE TG_OP WHEN 'DELETE' THEN - changes.difference ELSE changes.difference END
    FROM (
        SELECT changed.tenant_id, changed.product_id, sum(changed.difference) AS difference
        FROM changed
        JOIN commerce_products AS saved
            ON saved.tenant_id = changed.tenant_id
            AND saved.id = changed.product_id
            AND (changed.event_at, changed.event_id) > (saved.event_at, saved.event_id)
        GROUP BY changed.tenant_id, changed.product_id
    ) AS changes
    WHERE product.tenant_id = changes.tenant_id
        AND product.id = changes.product_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER commerce_products_before
    BEFORE INSERT OR UPDATE ON commerce_products
    FOR EACH ROW EXECUTE FUNCTION commerce_products_before();

CREATE TRIGGER commerce_products_inserted
    AFTER INSERT ON commerce_products
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION commerce_products_inserted();

CREATE TRIGGER commerce_stock_changes_inserted
    AFTER INSERT ON commerce_stock_changes
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION commerce_stock_changed();

CREATE TRIGGER commerce_stock_changes_deleted
    AFTER DELETE ON commerce_stock_changes
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION commerce_stock_changed();

CREATE TABLE commerce_orders (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    user_id uuid,
    status commerce_order_status,
    total_amount numeric(12, 2),
    idempotency_key text,
    payment_intent_id text,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT commerce_orders_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT commerce_orders_user_id_check CHECK (deleted_at IS NOT NULL OR user_id IS NOT NULL),
    CONSTRAINT commerce_orders_status_check CHECK (deleted_at IS NOT NULL OR status IS NOT NULL),
    CONSTRAINT commerce_orders_total_amount_check CHECK (
        total_amount >= 0 AND total_amount <> 'NaN' AND (deleted_at IS NOT NULL OR total_amount IS NOT NULL)
    ),
    CONSTRAINT commerce_orders_created_at_check CHECK (deleted_at IS NOT NULL OR created_at IS NOT NULL)
);

-- Deleted orders too: a key is used once.
CREATE UNIQUE INDEX commerce_orders_idempotency_key_key
    ON commerce_orders (tenant_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

CREATE UNIQUE INDEX commerce_orders_payment_intent_id_key
    ON commerce_orders (tenant_id, payment_intent_id)
    WHERE payment_intent_id IS NOT NULL;

CREATE INDEX commerce_orders_user_id_created_at_idx
    ON commerce_orders (tenant_id, user_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX commerce_orders_status_created_at_idx
    ON commerce_orders (tenant_id, status, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX commerce_orders_created_at_idx
    ON commerce_orders (tenant_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE TABLE commerce_orders_by_status (
    tenant_id integer NOT NULL DEFAULT 0,
    status commerce_order_status NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    total_amount numeric NOT NULL DEFAULT 0,
    CONSTRAINT commerce_orders_by_status_pkey PRIMARY KEY (tenant_id, status, slot)
) WITH (fillfactor = 70);

CREATE TABLE commerce_revenue_by_day (
    tenant_id integer NOT NULL DEFAULT 0,
    bucket timestamptz NOT NULL,
    status commerce_order_status NOT NULL,
    slot smallint NOT NULL,
    n bigint NOT NULL,
    total_amount numeric NOT NULL DEFAULT 0,
    CONSTRAINT commerce_revenue_by_day_pkey PRIMARY KEY (tenant_id, bucket, status, slot)
) WITH (fillfactor = 70);

CREATE TABLE commerce_order_items (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    order_id uuid,
    product_id uuid,
    quantity integer,
    unit_price numeric(12, 2),
    created_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT commerce_order_items_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT commerce_order_items_order_id_check CHECK (deleted_at IS NOT NULL OR order_id IS NOT NULL),
    CONSTRAINT commerce_order_items_product_id_check CHECK (deleted_at IS NOT NULL OR product_id IS NOT NULL),
    CONSTRAINT commerce_order_items_quantity_check CHECK (quantity > 0 AND (deleted_at IS NOT NULL OR quantity IS NOT NULL)),
    CONSTRAINT commerce_order_items_unit_price_check CHECK (
        unit_price >= 0 AND unit_price <> 'NaN' AND (deleted_at IS NOT NULL OR unit_price IS NOT NULL)
    )
);

CREATE UNIQUE INDEX commerce_order_items_order_id_product_id_key
    ON commerce_order_items (tenant_id, order_id, product_id)
    WHERE deleted_at IS NULL;

CREATE INDEX commerce_order_items_product_id_idx
    ON commerce_order_items (tenant_id, product_id)
    WHERE deleted_at IS NULL;

CREATE TABLE commerce_leads (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    name text,
    email text,
    message text,
    created_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT commerce_leads_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT commerce_leads_email_check CHECK (deleted_at IS NOT NULL OR (email IS NOT NULL AND email LIKE '%_@_%')),
    CONSTRAINT commerce_leads_created_at_check CHECK (deleted_at IS NOT NULL OR created_at IS NOT NULL)
);

CREATE INDEX commerce_leads_created_at_idx
    ON commerce_leads (tenant_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE INDEX commerce_leads_email_idx
    ON commerce_leads (tenant_id, email)
    WHERE deleted_at IS NULL;

-- What is read: the rows of the session's tenant (setting millrace.tenant, 0 without it).
CREATE VIEW commerce_status_counts AS
SELECT
    tenant_id,
    status,
    sum(n)::bigint AS n,
    sum(total_amount) AS total_amount
FROM commerce_orders_by_status
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, status
HAVING sum(n) <> 0;

-- What is paid for, shipped or not.
CREATE VIEW commerce_revenue AS
SELECT
    tenant_id,
    bucket,
    sum(n)::bigint AS n,
    sum(total_amount) AS total_amount
FROM commerce_revenue_by_day
WHERE tenant_id = (SELECT public.millrace_tenant())
    AND status IN ('paid', 'shipped')
GROUP BY tenant_id, bucket
HAVING sum(n) <> 0;

CREATE VIEW commerce_revenue_by_status AS
SELECT
    tenant_id,
    bucket,
    status,
    sum(n)::bigint AS n,
    sum(total_amount) AS total_amount
FROM commerce_revenue_by_day
WHERE tenant_id = (SELECT public.millrace_tenant())
GROUP BY tenant_id, bucket, status
HAVING sum(n) <> 0;

CREATE VIEW commerce_catalogue AS
SELECT
    tenant_id,
    id,
    name,
    description,
    price,
    greatest(stock, 0) AS stock,
    created_at
FROM commerce_products
WHERE tenant_id = (SELECT public.millrace_tenant())
    AND active
    AND deleted_at IS NULL;

CREATE VIEW commerce_cart_contents AS
SELECT
    cart.tenant_id,
    cart.id AS cart_id,
    cart.user_id,
    item.id AS cart_item_id,
    item.product_id,
    product.name,
    item.quantity,
    product.price AS unit_price,
    item.quantity * product.price AS amount
FROM commerce_carts AS cart
JOIN commerce_cart_items AS item
    ON item.tenant_id = cart.tenant_id
    AND item.cart_id = cart.id
    AND item.deleted_at IS NULL
LEFT JOIN commerce_products AS product
    ON product.tenant_id = item.tenant_id
    AND product.id = item.product_id
    AND product.deleted_at IS NULL
WHERE cart.tenant_id = (SELECT public.millrace_tenant())
    AND cart.deleted_at IS NULL;

-- The cart becomes an order: one transaction, as the caller's or its own. Everything that changes is written here and, as
-- an event with the same time and id, into the outbox, so that folding the events changes nothing, and folding all of them
-- anew leads to these very rows.
--
-- Locks in one order (cart, its items, products by id), as the writers do; a product's lock keeps its stock and price as
-- they are read. The caller's transaction must be READ COMMITTED, which it is unless told otherwise.
-- The same key again, at the same time or later, gets the same order.
--
-- It outlives the switch to a rebuilt version: the engine leaves a function in its place whose arguments and result are of
-- PostgreSQL's own types, hold_versions comes before anything of a version is named, and no variable is of a version's type.
CREATE FUNCTION commerce_checkout(
    INOUT user_id uuid,
    INOUT idempotency_key text,
    INOUT tenant_id integer DEFAULT public.millrace_tenant(),
    OUT id uuid,
    OUT status text,
    OUT total_amount numeric,
    OUT payment_intent_id text,
    OUT created_at timestamptz,
    OUT updated_at timestamptz
)
    LANGUAGE plpgsql
    SECURITY DEFINER
    SET search_path FROM CURRENT
AS $checkout$
#variable_conflict use_column
DECLARE
    buyer CONSTANT uuid := $1;
    key CONSTANT text := $2;
    tenant CONSTANT integer := $3;
    stamps CONSTANT text[] := '{tenant_id,event_at,event_id,deleted_at}';
    cart uuid;
    items uuid[];
    wanted_ids uuid[];
    wanted_quantities integer[];
    items_at timestamptz;
    goods uuid[];
    prices numeric[];
    goods_at timestamptz;
    line record;
    placed record;
    stamp timestamptz;
BEGIN
    PERFORM projections.hold_versions();
    -- The function runs as its owner: a table of the caller's session must not stand in for one of these.
    PERFORM pg_catalog.set_config('search_path', pg_catalog.current_setting('search_path') || ', pg_temp', true);
    IF buyer IS NULL OR tenant IS NULL OR key IS NULL OR key = '' THEN
        RAISE EXCEPTION 'a checkout wants a user_id and an idempotency_key'
            USING ERRCODE = 'MR004', HINT = 'Make the key once for each order, and send the same one when you try again.';
    END IF;

    -- Twice: at once for those who come again, and behind the cart's lock for those who came at the same time.
    FOR attempt IN 1..2 LOOP
        SELECT existing.user_id, existing.id, existing.status::text AS status, existing.total_amount,
            existing.payment_intent_id, existing.created_at, existing.updated_at
        INTO placed
        FROM commerce_orders AS existing
        WHERE existing.tenant_id = tenant
            AND existing.idempotency_key = key;
        IF FOUND THEN
            IF placed.user_id IS DISTINCT FROM buyer THEN
                RAISE EXCEPTION 'the idempotency key belongs to an order of another user'
                    USING ERRCODE = 'MR004', HINT = 'Make a key of your own, such as a random UUID.';
            END IF;
            id := placed.id;
            status := placed.status;
            total_amount := placed.total_amount;
            payment_intent_id := placed.payment_intent_id;
            created_at := placed.created_at;
            updated_at := placed.updated_at;
            RETURN;
        END IF;
        EXIT WHEN attempt = 2;
        SELECT own.id INTO cart
        FROM commerce_carts AS own
        WHERE own.tenant_id = tenant
            AND own.user_id = buyer
            AND own.deleted_at IS NULL
        FOR UPDATE;
    END LOOP;

    SELECT array_agg(locked.id), array_agg(locked.product_id), array_agg(locked.quantity), max(locked.event_at)
    INTO items, wanted_ids, wanted_quantities, items_at
    FROM (
        SELECT item.id, item.product_id, item.quantity, item.event_at
        FROM commerce_cart_items AS item
        WHERE item.tenant_id = tenant
            AND item.cart_id = cart
            AND item.deleted_at IS NULL
        ORDER BY item.id
        FOR UPDATE
    ) AS locked;
    IF items IS NULL THEN
        RAISE EXCEPTION 'the cart of user % is empty', buyer
            USING ERRCODE = 'MR003', HINT = 'Save cart items (commerce.cart_item_saved) before the checkout.';
    END IF;

    SELECT array_agg(locked.id), array_agg(locked.price), max(locked.event_at)
    INTO goods, prices, goods_at
    FROM (
        SELECT product.id, product.price, product.event_at
        FROM commerce_products AS product
        WHERE product.tenant_id = tenant
            AND product.id = ANY (wanted_ids)
        ORDER BY product.id
        FOR UPDATE
    ) AS locked;
    FOR line IN
        SELECT
            item.product_id,
            item.quantity AS wanted,
            product.name,
            greatest(product.stock, 0) AS stock,
            product.active AND product.deleted_at IS NULL AS is_sold
        FROM unnest(wanted_ids, wanted_quantities) AS item (product_id, quantity)
        LEFT JOIN commerce_products AS product
            ON product.tenant_id = tenant
            AND product.id = item.product_id
        ORDER BY item.product_id
    LOOP
        IF line.is_sold IS NOT TRUE OR NOT line.product_id = ANY (goods) THEN
            RAISE EXCEPTION 'product % is not for sale', line.product_id
                USING ERRCODE = 'MR002', DETAIL = jsonb_build_object('product_id', line.product_id)::text,
                    HINT = 'Take it out of the cart (commerce.cart_item_deleted).';
        END IF;
        IF line.stock < line.wanted THEN
            RAISE EXCEPTION 'product % (%): % wanted, % left', line.product_id, line.name, line.wanted, line.stock
                USING ERRCODE = 'MR001',
                    DETAIL = jsonb_build_object(
                        'product_id', line.product_id, 'wanted', line.wanted, 'left', line.stock)::text,
                    HINT = 'Lower the quantity in the cart, or wait for new stock.';
        END IF;
    END LOOP;

    -- Above every stamp that it replaces or comes after, whatever the clock says.
    stamp := greatest(
        clock_timestamp(), goods_at + interval '1 microsecond', items_at + interval '1 microsecond');

    WITH written AS (
        INSERT INTO commerce_orders (
            tenant_id, id, user_id, status, total_amount, idempotency_key, created_at, updated_at, event_at, event_id
        )
        SELECT
            tenant, gen_random_uuid(), buyer, 'pending', sum(item.quantity * product.price), key, stamp, stamp, stamp,
            gen_random_uuid()
        FROM unnest(wanted_ids, wanted_quantities) AS item (product_id, quantity)
        JOIN unnest(goods, prices) AS product (id, price) ON product.id = item.product_id
        ON CONFLICT (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
        RETURNING *
    ),
    told AS (
        INSERT INTO public.outbox (id, tenant_id, event_type, user_id, payload, created_at)
        SELECT event_id, tenant, 'commerce.order_saved', buyer, to_jsonb(written) - stamps, event_at
        FROM written
    )
    SELECT written.id, written.status::text AS status, written.total_amount
    INTO placed
    FROM written;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the idempotency key belongs to an order of another user'
            USING ERRCODE = 'MR004', HINT = 'Make a key of your own, such as a random UUID.';
    END IF;
    id := placed.id;
    status := placed.status;
    total_amount := placed.total_amount;
    created_at := stamp;
    updated_at := stamp;

    WITH written AS (
        INSERT INTO commerce_order_items (
            tenant_id, id, order_id, product_id, quantity, unit_price, created_at, event_at, event_id
        )
        SELECT
            tenant, gen_random_uuid(), placed.id, product.id, item.quantity, product.price, stamp, stamp,
            gen_random_uuid()
        FROM unnest(wanted_ids, wanted_quantities) AS item (product_id, quantity)
        JOIN unnest(goods, prices) AS product (id, price) ON product.id = item.product_id
        RETURNING *
    )
    INSERT INTO public.outbox (id, tenant_id, event_type, user_id, payload, created_at)
    SELECT event_id, tenant, 'commerce.order_item_saved', buyer, to_jsonb(written) - stamps, event_at
    FROM written;

    -- A difference, which adds up with those that others send, whatever comes first. The trigger lowers the stock.
    WITH written AS (
        INSERT INTO commerce_stock_changes (tenant_id, event_id, event_at, product_id, difference, order_id, reason)
        SELECT tenant, gen_random_uuid(), stamp, item.product_id, - item.quantity, placed.id, 'sold'
        FROM unnest(wanted_ids, wanted_quantities) AS item (product_id, quantity)
        ORDER BY item.product_id
        RETURNING *
    )
    INSERT INTO public.outbox (id, tenant_id, event_type, user_id, payload, created_at)
    SELECT event_id, tenant, 'commerce.stock_changed', buyer, to_jsonb(written) - stamps, event_at
    FROM written;

    WITH written AS (
        UPDATE commerce_cart_items AS item
        SET deleted_at = stamp,
            cart_id = NULL,
            product_id = NULL,
            quantity = NULL,
            created_at = NULL,
            updated_at = NULL,
            event_at = stamp,
            event_id = gen_random_uuid()
        WHERE item.tenant_id = tenant
            AND item.id = ANY (items)
        RETURNING item.*
    )
    INSERT INTO public.outbox (id, tenant_id, event_type, user_id, payload, created_at)
    SELECT event_id, tenant, 'commerce.cart_item_deleted', buyer, jsonb_build_object('id', id), event_at
    FROM written;
END
$checkout$;

-- It runs as its owner, so it is for those who are given it: GRANT EXECUTE ON FUNCTION projections.commerce_checkout TO shop.
REVOKE EXECUTE ON FUNCTION commerce_checkout(uuid, text, integer) FROM PUBLIC;

-- By the trigrams of words, so that a mistyped or unfinished word is found, the best first ("lmpe" and "Lampe" have a
-- similarity of 0.4, "chasie plinte" and "Chaise pliante" of 0.38). What contains the query as it is comes too. The
-- threshold is not set by the function's head: only a session that has loaded pg_trgm may write that.
CREATE FUNCTION commerce_search_products(
    query text, tenant_id integer DEFAULT public.millrace_tenant(), most integer DEFAULT 20
)
    RETURNS TABLE (
        id uuid, name text, description text, price numeric, stock integer, created_at timestamptz, similarity real
    )
    LANGUAGE plpgsql
    STABLE
    SET search_path FROM CURRENT
AS $search$
#variable_conflict use_column
DECLARE
    kept CONSTANT text := coalesce(nullif(current_setting('pg_trgm.word_similarity_threshold', true), ''), '0.6');
BEGIN
    PERFORM set_config('pg_trgm.word_similarity_threshold', '0.3', true);
    RETURN QUERY
    SELECT
        product.id,
        product.name,
        product.description,
        product.price,
        greatest(product.stock, 0),
        product.created_at,
        public.word_similarity($1, product.name)
    FROM commerce_products AS product
    WHERE product.tenant_id = $2
        AND product.active
        AND product.deleted_at IS NULL
        AND $1 <> ''
        AND (
            product.name OPERATOR(public.%>) $1
            OR product.name ILIKE '%' || regexp_replace($1, '([\\%_])', '\\\1', 'g') || '%'
        )
    ORDER BY 7 DESC, product.name, product.id
    LIMIT least(greatest($3, 0), 1000);
    PERFORM set_config('pg_trgm.word_similarity_threshold', kept, true);
END
$search$;

COMMENT ON TABLE commerce_users IS 'Customers and administrators; deleted_at is set on those that are gone.';
COMMENT ON COLUMN commerce_users.password_hash IS 'Best left out of the events: they are kept for months.';
COMMENT ON TABLE commerce_carts IS 'One cart a user; a checkout empties it.';
COMMENT ON TABLE commerce_cart_items IS 'What is in the carts; deleted_at is set on what was taken out or bought.';
COMMENT ON TABLE commerce_products IS 'The catalogue; deleted_at is set on what is sold no more.';
COMMENT ON TABLE commerce_stock_changes IS 'What stocks grew or shrank by, sales included; they are in commerce_products.stock.';
COMMENT ON TABLE commerce_stock_keys IS 'Products that are known by their stock; for locking only.';
COMMENT ON COLUMN commerce_products.stock IS 'As it was saved, and all that changed it since; below 0 where more was taken than was known.';
COMMENT ON TABLE commerce_orders IS 'Orders; total_amount is what it was when ordered.';
COMMENT ON TABLE commerce_order_items IS 'What was ordered, at the price it then had.';
COMMENT ON TABLE commerce_leads IS 'People who left their address.';
COMMENT ON VIEW commerce_status_counts IS 'Orders by status with their amounts.';
COMMENT ON VIEW commerce_revenue IS 'Paid and shipped orders by day (UTC) with their amounts.';
COMMENT ON VIEW commerce_revenue_by_status IS 'Orders by day (UTC) and status with their amounts.';
COMMENT ON VIEW commerce_catalogue IS 'Products for sale; ORDER BY created_at DESC is an index scan.';
COMMENT ON VIEW commerce_cart_contents IS 'What users have in their carts, at today''s prices.';
COMMENT ON FUNCTION commerce_checkout(uuid, text, integer) IS 'Makes an order of the user''s cart; once for a key.';
COMMENT ON FUNCTION commerce_search_products(text, integer, integer) IS 'Products for sale whose name is like the query, the best first.';

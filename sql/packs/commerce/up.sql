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
    CONSTRAINT commerce_products_price_check CHECK (price >= 0 AND (deleted_at IS NOT NULL OR price IS NOT NULL)),
    CONSTRAINT commerce_products_stock_check CHECK (stock >= 0 AND (deleted_at IS NOT NULL OR stock IS NOT NULL)),
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

CREATE TABLE commerce_orders (
    tenant_id integer NOT NULL DEFAULT 0,
    id uuid NOT NULL,
    user_id uuid,
    status commerce_order_status,
    total_amount numeric(12, 2),
    idempotency_key text,
    created_at timestamptz,
    updated_at timestamptz,
    event_at timestamptz NOT NULL,
    event_id uuid NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT commerce_orders_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT commerce_orders_user_id_check CHECK (deleted_at IS NOT NULL OR user_id IS NOT NULL),
    CONSTRAINT commerce_orders_status_check CHECK (deleted_at IS NOT NULL OR status IS NOT NULL),
    CONSTRAINT commerce_orders_total_amount_check CHECK (
        total_amount >= 0 AND (deleted_at IS NOT NULL OR total_amount IS NOT NULL)
    ),
    CONSTRAINT commerce_orders_created_at_check CHECK (deleted_at IS NOT NULL OR created_at IS NOT NULL)
);

-- Deleted orders too: a key is used once.
CREATE UNIQUE INDEX commerce_orders_idempotency_key_key
    ON commerce_orders (tenant_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

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
        unit_price >= 0 AND (deleted_at IS NOT NULL OR unit_price IS NOT NULL)
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

CREATE VIEW commerce_status_counts AS
SELECT
    tenant_id,
    status,
    sum(n)::bigint AS n,
    sum(total_amount) AS total_amount
FROM commerce_orders_by_status
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
WHERE status IN ('paid', 'shipped')
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
GROUP BY tenant_id, bucket, status
HAVING sum(n) <> 0;

CREATE VIEW commerce_catalogue AS
SELECT
    tenant_id,
    id,
    name,
    description,
    price,
    stock,
    created_at
FROM commerce_products
WHERE active
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
WHERE cart.deleted_at IS NULL;

-- The cart becomes an order: one transaction, as the caller's or its own. Everything that changes is written here and, as
-- an event with the same time and id, into the outbox, so that folding the events changes nothing, and folding all of them
-- anew leads to these very rows.
--
-- Locks in one order (cart, its items, products by id), as the writers do; a product's lock keeps its stock and price as
-- they are read. The caller's transaction must be READ COMMITTED, which it is unless told otherwise.
-- The same key again, at the same time or later, gets the same order.
CREATE FUNCTION commerce_checkout(user_id uuid, idempotency_key text, tenant_id integer DEFAULT 0)
    RETURNS commerce_orders
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
    items commerce_cart_items[];
    goods commerce_products[];
    line record;
    stamp timestamptz;
    placed commerce_orders;
BEGIN
    -- The function runs as its owner: a table of the caller's session must not stand in for one of these.
    PERFORM pg_catalog.set_config('search_path', pg_catalog.current_setting('search_path') || ', pg_temp', true);
    IF buyer IS NULL OR tenant IS NULL OR key IS NULL OR key = '' THEN
        RAISE EXCEPTION 'a checkout wants a user_id and an idempotency_key'
            USING ERRCODE = 'MR004', HINT = 'Make the key once for each order, and send the same one when you try again.';
    END IF;
    -- A rebuilt version must not take these tables' place amid the checkout.
    PERFORM pg_advisory_xact_lock_shared(1296826372, 0);

    -- Twice: at once for those who come again, and behind the cart's lock for those who came at the same time.
    FOR attempt IN 1..2 LOOP
        SELECT existing.* INTO placed
        FROM commerce_orders AS existing
        WHERE existing.tenant_id = tenant
            AND existing.idempotency_key = key;
        IF FOUND THEN
            IF placed.user_id IS DISTINCT FROM buyer THEN
                RAISE EXCEPTION 'the idempotency key belongs to an order of another user'
                    USING ERRCODE = 'MR004', HINT = 'Make a key of your own, such as a random UUID.';
            END IF;
            RETURN placed;
        END IF;
        EXIT WHEN attempt = 2;
        SELECT own.id INTO cart
        FROM commerce_carts AS own
        WHERE own.tenant_id = tenant
            AND own.user_id = buyer
            AND own.deleted_at IS NULL
        FOR UPDATE;
    END LOOP;

    SELECT array_agg(locked.item) INTO items
    FROM (
        SELECT item
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

    SELECT array_agg(locked.product) INTO goods
    FROM (
        SELECT product
        FROM commerce_products AS product
        WHERE product.tenant_id = tenant
            AND product.id IN (SELECT item.product_id FROM unnest(items) AS item)
        ORDER BY product.id
        FOR UPDATE
    ) AS locked;
    FOR line IN
        SELECT
            item.product_id,
            item.quantity AS wanted,
            product.name,
            product.stock,
            product.active AND product.deleted_at IS NULL AS is_sold
        FROM unnest(items) AS item
        LEFT JOIN unnest(goods) AS product ON product.id = item.product_id
        ORDER BY item.product_id
    LOOP
        IF line.is_sold IS NOT TRUE THEN
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

    -- Above every stamp that it replaces, whatever the clock says.
    SELECT greatest(
        clock_timestamp(),
        (SELECT max(product.event_at) FROM unnest(goods) AS product) + interval '1 microsecond',
        (SELECT max(item.event_at) FROM unnest(items) AS item) + interval '1 microsecond'
    ) INTO stamp;

    INSERT INTO commerce_orders (
        tenant_id, id, user_id, status, total_amount, idempotency_key, created_at, updated_at, event_at, event_id
    )
    SELECT
        tenant, gen_random_uuid(), buyer, 'pending', sum(item.quantity * product.price), key, stamp, stamp, stamp,
        gen_random_uuid()
    FROM unnest(items) AS item
    JOIN unnest(goods) AS product ON product.id = item.product_id
    ON CONFLICT (tenant_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
    RETURNING * INTO placed;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the idempotency key belongs to an order of another user'
            USING ERRCODE = 'MR004', HINT = 'Make a key of your own, such as a random UUID.';
    END IF;
    INSERT INTO public.outbox (id, tenant_id, event_type, user_id, payload, created_at)
    VALUES (placed.event_id, tenant, 'commerce.order_saved', buyer, to_jsonb(placed) - stamps, placed.event_at);

    WITH written AS (
        INSERT INTO commerce_order_items (
            tenant_id, id, order_id, product_id, quantity, unit_price, created_at, event_at, event_id
        )
        SELECT
            tenant, gen_random_uuid(), placed.id, product.id, item.quantity, product.price, stamp, stamp,
            gen_random_uuid()
        FROM unnest(items) AS item
        JOIN unnest(goods) AS product ON product.id = item.product_id
        RETURNING *
    )
    INSERT INTO public.outbox (id, tenant_id, event_type, user_id, payload, created_at)
    SELECT event_id, tenant, 'commerce.order_item_saved', buyer, to_jsonb(written) - stamps, event_at
    FROM written;

    WITH written AS (
        UPDATE commerce_products AS product
        SET stock = product.stock - item.quantity,
            updated_at = stamp,
            event_at = stamp,
            event_id = gen_random_uuid()
        FROM unnest(items) AS item
        WHERE product.tenant_id = tenant
            AND product.id = item.product_id
        RETURNING product.*
    )
    INSERT INTO public.outbox (id, tenant_id, event_type, user_id, payload, created_at)
    SELECT event_id, tenant, 'commerce.product_saved', buyer, to_jsonb(written) - stamps, event_at
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
        FROM unnest(items) AS taken
        WHERE item.tenant_id = tenant
            AND item.id = taken.id
        RETURNING item.*
    )
    INSERT INTO public.outbox (id, tenant_id, event_type, user_id, payload, created_at)
    SELECT event_id, tenant, 'commerce.cart_item_deleted', buyer, jsonb_build_object('id', id), event_at
    FROM written;

    RETURN placed;
END
$checkout$;

-- It runs as its owner, so it is for those who are given it: GRANT EXECUTE ON FUNCTION projections.commerce_checkout TO shop.
REVOKE EXECUTE ON FUNCTION commerce_checkout(uuid, text, integer) FROM PUBLIC;

-- By trigrams, so that a mistyped word is found; the best first.
CREATE FUNCTION commerce_search_products(query text, tenant_id integer DEFAULT 0)
    RETURNS SETOF commerce_products
    LANGUAGE sql
    STABLE
    SET search_path FROM CURRENT
BEGIN ATOMIC
    SELECT product.*
    FROM commerce_products AS product
    WHERE product.tenant_id = $2
        AND product.active
        AND product.deleted_at IS NULL
        AND (product.name OPERATOR(public.%>) $1 OR product.name ILIKE '%' || $1 || '%')
    ORDER BY product.name OPERATOR(public.<->>) $1, product.name, product.id;
END;

COMMENT ON TABLE commerce_users IS 'Customers and administrators; deleted_at is set on those that are gone.';
COMMENT ON COLUMN commerce_users.password_hash IS 'Best left out of the events: they are kept for months.';
COMMENT ON TABLE commerce_carts IS 'One cart a user; a checkout empties it.';
COMMENT ON TABLE commerce_cart_items IS 'What is in the carts; deleted_at is set on what was taken out or bought.';
COMMENT ON TABLE commerce_products IS 'The catalogue; deleted_at is set on what is sold no more.';
COMMENT ON TABLE commerce_orders IS 'Orders; total_amount is what it was when ordered.';
COMMENT ON TABLE commerce_order_items IS 'What was ordered, at the price it then had.';
COMMENT ON TABLE commerce_leads IS 'People who left their address.';
COMMENT ON VIEW commerce_status_counts IS 'Orders by status with their amounts.';
COMMENT ON VIEW commerce_revenue IS 'Paid and shipped orders by day (UTC) with their amounts.';
COMMENT ON VIEW commerce_revenue_by_status IS 'Orders by day (UTC) and status with their amounts.';
COMMENT ON VIEW commerce_catalogue IS 'Products for sale; ORDER BY created_at DESC is an index scan.';
COMMENT ON VIEW commerce_cart_contents IS 'What users have in their carts, at today''s prices.';
COMMENT ON FUNCTION commerce_checkout(uuid, text, integer) IS 'Makes an order of the user''s cart; once for a key.';
COMMENT ON FUNCTION commerce_search_products(text, integer) IS 'Products for sale whose name is like the query, the best first.';

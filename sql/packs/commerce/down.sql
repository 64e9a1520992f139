-- Why: undoes up.sql; the extension stays, others may use it.
DROP FUNCTION commerce_search_products(text, integer);
DROP FUNCTION commerce_checkout(uuid, text, integer);
DROP VIEW commerce_cart_contents;
DROP VIEW commerce_catalogue;
DROP VIEW commerce_revenue_by_status;
DROP VIEW commerce_revenue;
DROP VIEW commerce_status_counts;
DROP TABLE commerce_leads;
DROP TABLE commerce_order_items;
DROP TABLE commerce_revenue_by_day;
DROP TABLE commerce_orders_by_status;
DROP TABLE commerce_orders;
DROP TABLE commerce_products;
DROP TABLE commerce_cart_items;
DROP TABLE commerce_carts;
DROP TABLE commerce_users;
DROP TYPE commerce_order_status;
DROP TYPE commerce_user_role;

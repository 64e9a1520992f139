-- Why: least privilege. Run once by a superuser in the database, before `millrace migrate up`:
--     psql "$SUPERUSER_URL" --file sql/roles.sql
-- `millrace` owns the tables, because only their owner may attach a month; it is no superuser and reads no files.
-- `millrace_reader` is what dashboards and people get: GRANT millrace_reader TO someone. It reads every table, but neither
-- dead_letters.line nor columns whose name begins with password: `millrace migrate up` takes these from it, by
-- projections.restrict_reader(), which is to be run again after a GRANT by hand.
-- Give millrace a password by \password millrace, and put it into database.url or a service file.
CREATE ROLE millrace LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION;
CREATE ROLE millrace_reader NOLOGIN;

GRANT CREATE ON DATABASE :"DBNAME" TO millrace;
GRANT USAGE, CREATE ON SCHEMA public TO millrace;
GRANT USAGE ON SCHEMA public TO millrace_reader;

ALTER DEFAULT PRIVILEGES FOR ROLE millrace
    GRANT SELECT ON TABLES TO millrace_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE millrace
    GRANT USAGE ON SCHEMAS TO millrace_reader;

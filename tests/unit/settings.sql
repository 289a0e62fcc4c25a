-- What a dump of the rich database leaves out: settings, limits and rights of its role and of itself.
ALTER ROLE pryv SET search_path TO "$user", public, "odd one";
ALTER ROLE pryv CONNECTION LIMIT 40 CREATEDB VALID UNTIL '2036-01-01';
ALTER ROLE pryv SET work_mem TO '7MB';
ALTER ROLE pryv IN DATABASE rich SET statement_timeout TO '30s';
ALTER DATABASE rich SET app.secret TO 'nobody''s business';
ALTER DATABASE rich CONNECTION LIMIT 77;
REVOKE CONNECT ON DATABASE rich FROM PUBLIC;
GRANT CONNECT ON DATABASE rich TO reader;
CREATE ROLE club;
GRANT club TO pryv WITH ADMIN OPTION;
ALTER ROLE pryv NOLOGIN;

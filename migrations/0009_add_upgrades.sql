-- A newer program may migrate the catalog while older ones still serve: each migration says which
-- these are. Its first line is then "-- oldest program: NNNN", the newest migration that a program
-- must know to go on with a catalog that has this one; without it, none goes on.

ALTER TABLE pgboost.schema_migrations ADD COLUMN oldest_program text
    CHECK (oldest_program ~ '^[0-9]{4}$');
COMMENT ON COLUMN pgboost.schema_migrations.oldest_program IS
    'programs whose newest migration has this number or a higher one go on with the catalog; null: only those that know this one';

SELECT id, count(*) AS times FROM events GROUP BY id HAVING times > 1 OR id IS NULL;

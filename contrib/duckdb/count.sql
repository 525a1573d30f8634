SELECT category, action, outcome, count(*) AS events, count(DISTINCT id) AS ids
FROM events GROUP BY ALL ORDER BY ALL;

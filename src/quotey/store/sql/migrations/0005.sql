-- Updates that have ended and may still land: one of their requests was never answered. Reading asks
-- for them by record. Source: reliability G13.
CREATE INDEX outbox_may_land ON outbox (entity_id, finished_at)
WHERE kind IN ('update_deal', 'update_account') AND finished_at IS NOT NULL
    AND attempts > (state = 'delivered');

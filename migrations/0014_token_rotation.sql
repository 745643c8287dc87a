-- auth: a token that was rotated names the one that replaced it, and ends when its overlap is over. It can be rotated
-- once: whoever holds an old token cannot branch off another.
alter table api_tokens add column replaced_by uuid unique references api_tokens
    constraint not_by_itself check (replaced_by <> id);

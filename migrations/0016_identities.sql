-- auth/oidc/identities: which of our people a provider of OpenID Connect means, by the provider's own name for them, which
-- it gives to nobody else. An address can be given to somebody else, and is no name.
--
-- A process of the version before does not know the table and lets people in by their passwords alone.
create table user_identities (
    issuer text not null,
    subject text not null,
    user_id uuid not null references users,
    linked_at timestamptz not null,
    last_sign_in_at timestamptz,
    -- whether the provider asked for more than a password at the last sign-in
    second_factor boolean not null default false,
    primary key (issuer, subject),
    unique (user_id, issuer)
);

-- Whether the session was begun there: then it is confirmed there, too.
alter table sessions add column by_provider boolean not null default false;

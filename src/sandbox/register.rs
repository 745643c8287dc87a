//! What requests have made of the account and its numbers; what was never changed is not in it.

use time::OffsetDateTime;

use super::{
    Credentials,
    accounts::Account,
    incoming_numbers::{OwnNumber, Tenure},
};

#[derive(Default)]
pub(super) struct Register {
    accounts: Vec<Account>,
    /// In the order of their purchase.
    numbers: Vec<OwnNumber>,
}

impl Register {
    pub(super) fn put_account(&mut self, account: Account) {
        self.accounts.retain(|known| known.sid != account.sid);
        self.accounts.push(account);
    }

    /// Enters a number, or strikes out one that was released.
    pub(super) fn put_number(&mut self, number: OwnNumber) {
        let same =
            |known: &OwnNumber| known.account_sid == number.account_sid && known.phone_number == number.phone_number;
        match (self.numbers.iter().position(same), number.tenure) {
            (Some(position), Tenure::Released) => {
                self.numbers.remove(position);
            }
            (Some(position), _) => self.numbers[position] = number,
            (None, Tenure::Released) => {}
            (None, _) => self.numbers.push(number),
        }
    }

    /// The account of the credentials; until it is changed, it is as old as the sandbox.
    pub(super) fn account(&self, credentials: &Credentials, since: OffsetDateTime) -> Account {
        let known = self.accounts.iter().find(|account| account.sid == credentials.account_sid);
        known.cloned().unwrap_or_else(|| Account::new(&credentials.account_sid, since))
    }

    /// The account's numbers: those that it bought, newest first, then those that came with the credentials.
    pub(super) fn numbers(&self, credentials: &Credentials, since: OffsetDateTime) -> Vec<OwnNumber> {
        let account = &credentials.account_sid;
        let known = || self.numbers.iter().filter(|number| number.account_sid == *account);
        let bought = known()
            .rev()
            .filter(|number| number.tenure == Tenure::Bought && !credentials.owns(&number.phone_number))
            .cloned();
        let given = credentials.numbers().map(|given| {
            let changed = known().find(|number| number.phone_number == given).cloned();
            changed.unwrap_or_else(|| OwnNumber::new(account, given, Tenure::Given, since))
        });
        bought.chain(given).collect()
    }

    /// Whether the account may send from this number.
    pub(super) fn owns(&self, credentials: &Credentials, phone_number: &str) -> bool {
        credentials.owns(phone_number)
            || self.numbers.iter().any(|number| {
                number.account_sid == credentials.account_sid
                    && number.phone_number == phone_number
                    && number.tenure == Tenure::Bought
            })
    }
}

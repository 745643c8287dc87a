//! Twilio's error codes in plain words: what is so, then what to do. Twilio asks not to depend on the meaning of single
//! codes, so only the classes below change what we do, and every other code has a default.
//! Source: <https://www.twilio.com/docs/api/errors>.

/// Codes by which Twilio says that it does not serve this account: trying anything else would be refused as well.
const ACCOUNT_CODES: [i32; 5] = [10001, 20003, 20005, 20008, 20403];

/// Whether a refusal is about our account or credentials rather than about this message.
pub fn is_account_refusal(http_status: u16, code: Option<i32>) -> bool {
    matches!(http_status, 401 | 403) || code.is_some_and(|code| ACCOUNT_CODES.contains(&code))
}

/// The code in plain words.
pub fn in_words(code: i32) -> &'static str {
    match code {
        10001 | 20005 => "Twilio says that the account is not active. Look at the account in Twilio's console.",
        20003 => "Twilio refused our credentials. Replace the Auth Token in the API Vault.",
        20008 => {
            "These are Twilio's test credentials, which work for a few addresses only. Store the live ones in the API Vault."
        }
        11200 => "Twilio could not fetch the recording. Open its address in a browser without signing in anywhere.",
        11205 => "Twilio could not connect to the address of the recording. Check the address.",
        12100 | 12300 => "Twilio could not read the instructions for the call. This is a fault of ours.",
        13420 => {
            "What Twilio found at the address is no recording that it can play. It plays MP3 and WAV, sent as audio/mpeg or audio/wav."
        }
        20403 => "Twilio forbids this to the account. Look at the account in Twilio's console.",
        20404 => "Twilio does not know this address or message.",
        20429 => "Twilio takes no more requests at this moment. It is tried again.",
        20500 | 20503 => "Twilio had a fault of its own.",
        21211 | 21217 => "The recipient's number is not valid. Correct it and ask again.",
        21212 => "The sender number is not valid. Correct the Twilio phone number in the API Vault.",
        21201 | 21205 | 21213 => "Twilio missed a required field of the call. This is a fault of ours.",
        21210 => "The sender number is not a number of this account and not verified. Correct it in the API Vault.",
        21214 => "Twilio cannot call this number. Check it.",
        21215 => {
            "Calling this country is not switched on. Switch it on under Voice, Geo permissions, in Twilio's console."
        }
        21216 => "Twilio blocks calls to this number.",
        21220 => "The call had already ended.",
        21408 => {
            "Sending to this country is not switched on. Switch it on under Messaging, Geo permissions, in Twilio's console."
        }
        21602..=21604 => "Twilio missed a required field. This is a fault of ours.",
        21606 => "The sender number cannot send an SMS to this recipient. Use another sender.",
        21608 => "The account is a trial, and the recipient is not verified. Verify the number in Twilio's console.",
        21609 => "Twilio does not accept the address for its reports. Check the public URL.",
        21610 => "The recipient opted out of messages from this number. Do not write again.",
        21611 => "The sender's queue at Twilio is full. It is tried again later.",
        21612 => "Twilio cannot reach this recipient from this sender.",
        21614 => "The recipient's number cannot receive an SMS. It may be a landline.",
        21617 => "The message is longer than 1600 characters. Shorten it.",
        21635 => "The recipient's number is a landline. It cannot receive an SMS.",
        21659..=21661 => {
            "The sender number is not a number of this account that can send an SMS. Correct it in the API Vault."
        }
        21266 => "The recipient and the sender are the same number. Correct one.",
        22005 => "More calls wait at Twilio than it places in a day. Ask again later.",
        30001 => "The message waited too long in Twilio's queue.",
        30002 => "Twilio suspended the account while the message was on its way.",
        30003 => "The phone cannot be reached. It may be switched off.",
        30004 => "The recipient blocks messages.",
        30005 => "The number is not in use.",
        30006 => "The number is a landline, or its network cannot be reached.",
        30007 => "The message was filtered as unwanted by Twilio or the network.",
        30008 => "The network did not say why it failed.",
        30034 => "The sender number is not registered for this kind of traffic (A2P 10DLC).",
        30036 => "The message could not be delivered before its validity ended.",
        _ => "Twilio gave this code. Its page says what it means.",
    }
}

/// Twilio's page about the code.
pub fn link(code: i32) -> String {
    format!("https://www.twilio.com/docs/api/errors/{code}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_the_account_is_told_from_what_concerns_the_message() {
        assert!(
            is_account_refusal(401, None) && is_account_refusal(403, Some(1)) && is_account_refusal(400, Some(20005))
        );
        assert!(!is_account_refusal(400, Some(21211)) && !is_account_refusal(404, Some(20404)));
    }
}

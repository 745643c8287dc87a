//! What a check of the public address found, in words: what is so, then what to do.

use super::arrival::Arrival;
use super::views::Reach;
use crate::web::frame::Tone;

impl Arrival {
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Here => Tone::Ok,
            Self::NotAsked => Tone::Mute,
            _ => Tone::Bad,
        }
    }

    pub(super) fn icon(self) -> &'static str {
        match self {
            Self::Here => "circle-check",
            Self::NotAsked => "help",
            _ => "circle-x",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Here => "The public address reaches this service",
            Self::NotAsked => "The public address was not checked",
            Self::Elsewhere(_) => "Somebody else answered at the public address",
            _ => "The public address could not be reached",
        }
    }

    pub(super) fn words(self, reach: &Reach) -> String {
        match (self, reach) {
            (Self::Here, Reach::Here) => "It is reached from this machine, and so is the emulator of Twilio. Nothing is to be done. In live mode Twilio needs an https address that the internet reaches; set MISSION_CONTROL_PUBLIC_URL to it then.".to_owned(),
            (Self::Here, Reach::Private) => "It is reached from this server, but it belongs to this machine or to a private network: Twilio cannot get there. Set MISSION_CONTROL_PUBLIC_URL to the address under which the internet reaches this service.".to_owned(),
            (Self::Here, Reach::Public) => "The question went from this server to that address and arrived here. Send a test next: Twilio’s report shows that the internet gets there too.".to_owned(),
            (Self::NotAsked, _) => "It is not this machine’s, and in sandbox mode nothing leaves the machine. Check it in live mode, before the first message goes out.".to_owned(),
            (Self::NoName, _) => "Its name leads nowhere. Create the DNS record, or correct MISSION_CONTROL_PUBLIC_URL.".to_owned(),
            (Self::NoConnection, _) => "Nothing takes a connection there. Start the proxy or the tunnel that stands there, and open its port in the firewall.".to_owned(),
            (Self::NoTrust, _) => "Its certificate is not trusted: it has run out, is for another name, or lacks a part of its chain. Twilio would turn back too. Renew it, then check again.".to_owned(),
            (Self::TooLate, _) => "No answer came within 5 seconds. Look for a firewall that drops the connection, or a proxy that waits for a service which does not answer.".to_owned(),
            (Self::BrokenOff, _) => "Something took the connection and broke it off. Look at what listens there: a proxy has to speak HTTP and pass on to this service.".to_owned(),
            (Self::Elsewhere(status @ 300..400), _) => format!("It leads on to another address (HTTP {status}). Twilio signs the address that it was given, so set MISSION_CONTROL_PUBLIC_URL to where it leads."),
            (Self::Elsewhere(status @ 502..=504), _) => format!("A proxy answered HTTP {status}: it is there, and does not reach this service. Check to which port it passes on."),
            (Self::Elsewhere(status), _) => format!("What answered HTTP {status} is not this installation. Check that the name leads to this server, and that the proxy passes everything under /webhooks/twilio/ on unchanged, without asking for a password."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_says_what_to_do() {
        for (arrival, reach, next) in [
            (Arrival::Here, Reach::Here, "Nothing is to be done"),
            (Arrival::Here, Reach::Private, "Set MISSION_CONTROL_PUBLIC_URL"),
            (Arrival::Here, Reach::Public, "Send a test next"),
            (Arrival::NotAsked, Reach::Here, "Check it in live mode"),
            (Arrival::NoName, Reach::Public, "Create the DNS record"),
            (Arrival::NoConnection, Reach::Public, "Start the proxy"),
            (Arrival::NoTrust, Reach::Public, "Renew it"),
            (Arrival::TooLate, Reach::Public, "Look for a firewall"),
            (Arrival::BrokenOff, Reach::Public, "Look at what listens there"),
            (Arrival::Elsewhere(301), Reach::Public, "to where it leads"),
            (Arrival::Elsewhere(502), Reach::Public, "to which port"),
            (Arrival::Elsewhere(401), Reach::Public, "without asking for a password"),
        ] {
            let words = arrival.words(&reach);
            assert!(words.contains(next), "{arrival:?}: {words}");
        }
    }
}

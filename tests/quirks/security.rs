//! STLS that is withheld or cut off by a server that ends connections: the password stays here. The rest is in `tests/tls`.

use crate::common::{Liar, MountBuilder, Reply, corpus};
use crate::{assert_says, sentence};

fn refusal(liar: &Liar) -> String {
    let said = sentence(
        &MountBuilder::new(&liar.source())
            .option("timeout=2s")
            .refused(),
    );
    let sent = liar.commands();
    for verb in ["USER", "PASS", "AUTH", "APOP", "UTF8"] {
        assert!(
            sent.iter().all(|received| received.verb() != verb),
            "{verb} in clear: {sent:#?}"
        );
    }
    said
}

fn liar() -> Liar {
    Liar::start(&corpus::realistic(40, 1))
}

#[test]
fn where_capa_ends_the_connection_stls_is_demanded_all_the_same() {
    for capa in [Reply::Close, Reply::Reset] {
        let liar = liar();
        liar.on("CAPA", capa);
        assert_says(&refusal(&liar), &["refuses STLS", "pops://"]);
        assert_eq!(liar.count("STLS"), 1);
    }
}

#[test]
fn a_connection_that_is_cut_at_stls_is_not_taken_up_in_clear() {
    for stls in [Reply::Close, Reply::Reset, Reply::Raw(b"+ERR\r\n".to_vec())] {
        let liar = liar();
        liar.on("STLS", stls);
        refusal(&liar);
    }
}

#[test]
fn a_server_that_calls_us_logged_in_before_we_are_gets_nothing() {
    let liar = liar();
    // PREAUTH as of CVE-2020-28896: POP3 knows nothing of the kind.
    liar.set_greeting(b"+OK PREAUTH you are logged in\r\n");
    assert_says(&refusal(&liar), &["refuses STLS"]);
}

//! A server that withholds STLS or closes on it must not get the password. More tests are in
//! `tests/tls`.

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
fn stls_is_still_required_where_capa_closes_the_connection() {
    for capa in [Reply::Close, Reply::Reset] {
        let liar = liar();
        liar.on("CAPA", capa);
        assert_says(&refusal(&liar), &["refuses STLS", "pops://"]);
        assert_eq!(liar.count("STLS"), 1);
    }
}

#[test]
fn a_passing_refusal_of_stls_advises_nobody_to_do_without_it() {
    let liar = liar();
    liar.on("STLS", Reply::Err("[SYS/TEMP] no certificate now"));
    let said = refusal(&liar);
    assert_says(&said, &["no certificate now", "try again in a while"]);
    assert!(!said.contains("tls=off"), "{said}");
}

#[test]
fn a_connection_cut_at_stls_is_not_continued_in_the_clear() {
    for stls in [Reply::Close, Reply::Reset, Reply::Raw(b"+ERR\r\n".to_vec())] {
        let liar = liar();
        liar.on("STLS", stls);
        refusal(&liar);
    }
}

#[test]
fn a_server_that_claims_preauth_gets_no_password() {
    let liar = liar();
    // PREAUTH as of CVE-2020-28896: POP3 knows nothing of the kind.
    liar.set_greeting(b"+OK PREAUTH you are logged in\r\n");
    assert_says(&refusal(&liar), &["refuses STLS"]);
}

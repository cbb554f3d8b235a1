//! A broker that this program was built without.

use super::install::Install;
use super::until;
use aftercare::config::BrokerKind;
use aftercare::consume::built;

#[test]
fn a_broker_that_is_not_built_in_is_told_with_what_to_type() {
    let Some(kind) = BrokerKind::ALL.into_iter().find(|kind| !built(*kind)) else {
        return;
    };
    let mut install = Install::sqlite("capture");
    let key = kind.reads().to_uppercase();
    install.environment = vec![
        (
            "AFTERCARE_INTAKE__BROKERS__SHOP__URL".to_owned(),
            format!("{}://127.0.0.1:1", kind.schemes()[0]),
        ),
        (
            format!("AFTERCARE_INTAKE__BROKERS__SHOP__{key}"),
            "orders".to_owned(),
        ),
    ];
    let service = install.spawn();
    let feature = format!("cargo build --release --features {}", kind.feature());
    until("it says so", || {
        service.log().contains(&feature).then_some(())
    });
    assert_eq!(service.ended().code(), Some(2));
}

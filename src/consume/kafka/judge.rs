//! Errors that come among the messages: most the client mends on its own, some end the
//! session, and none may let a message be passed over in silence.

use super::super::session::Trouble;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What is said of a cluster that cannot be read any longer.
const LOST: &str = "the cluster cannot be read";

/// What to do about an error among the messages; `None`: the client mends it on its own.
/// `said` is what it told last of a connection that failed.
pub(super) fn judge(error: KafkaError, said: Option<String>) -> Option<Trouble> {
    use RDKafkaErrorCode as Code;
    let KafkaError::MessageConsumption(code) = error else {
        return Some(Trouble::new(LOST, error));
    };
    match code {
        // One connection of several, or a group that is forming: the client goes on.
        Code::BrokerTransportFailure
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::PollExceeded
        | Code::RebalanceInProgress
        | Code::NotCoordinator
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::WaitingForCoordinator
        | Code::PartitionEOF => None,
        // The client would pass these messages over. Read from the last commit they are met
        // again, until a person decides: what is not understood is not lost in silence.
        Code::BadMessage
        | Code::BadCompression
        | Code::InvalidMessage
        | Code::NotImplemented
        | Code::MessageSizeTooLarge => Some(Trouble::plain(format!(
            "messages of the topic cannot be unpacked ({code}); they are asked for again and again, so that none is lost. To pass them over, stop every member of the group and move it with kafka-consumer-groups.sh --reset-offsets"
        ))),
        Code::AllBrokersDown | Code::Authentication | Code::SSL => {
            let cause = said.unwrap_or_else(|| error.to_string());
            Some(Trouble::new(LOST, cause))
        }
        _ => Some(Trouble::new(LOST, error)),
    }
}

/// Whether nobody answered, which is another matter than an answer that says no.
pub(super) fn is_silence(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::OperationTimedOut
                | Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
        )
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "tests")]

    use super::*;

    #[test]
    fn what_the_client_would_pass_over_ends_the_reading() {
        let judged = |code| judge(KafkaError::MessageConsumption(code), Some("refused".into()));
        for code in [
            RDKafkaErrorCode::BadMessage,
            RDKafkaErrorCode::BadCompression,
            RDKafkaErrorCode::NotImplemented,
        ] {
            let trouble = judged(code).expect("it ends");
            assert!(trouble.to_string().contains("cannot be unpacked"));
        }
        let gone = judged(RDKafkaErrorCode::AllBrokersDown).expect("it ends");
        assert!(gone.chain().contains("refused"), "{}", gone.chain());
        assert!(judged(RDKafkaErrorCode::BrokerTransportFailure).is_none());
        assert!(judge(KafkaError::Canceled, None).is_some());
    }

    #[test]
    fn silence_is_no_answer() {
        let check = |code, expected: bool| {
            assert_eq!(
                is_silence(&KafkaError::MetadataFetch(code)),
                expected,
                "{code:?}"
            );
        };
        check(RDKafkaErrorCode::OperationTimedOut, true);
        check(RDKafkaErrorCode::BrokerTransportFailure, true);
        check(RDKafkaErrorCode::RebalanceInProgress, false);
        check(RDKafkaErrorCode::LeaderNotAvailable, false);
    }
}

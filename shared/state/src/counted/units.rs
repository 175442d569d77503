//! The units of one request.

use aws_sdk_dynamodb::{
    operation::{
        batch_get_item::{BatchGetItemInput, BatchGetItemOutput},
        batch_write_item::{BatchWriteItemInput, BatchWriteItemOutput},
        delete_item::{DeleteItemError, DeleteItemInput, DeleteItemOutput},
        get_item::{GetItemInput, GetItemOutput},
        put_item::{PutItemError, PutItemInput, PutItemOutput},
        query::{QueryInput, QueryOutput},
        transact_write_items::{TransactWriteItemsError, TransactWriteItemsInput, TransactWriteItemsOutput},
        update_item::{UpdateItemError, UpdateItemInput, UpdateItemOutput},
    },
    types::{ConsumedCapacity, ReturnConsumedCapacity},
};
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use moorage_domain::AwsUsage;

/// What a write takes whose condition does not hold. DynamoDB charges by the size of the item that is there, which its
/// answer does not say: this is the least, and for what is refused here, which has a kilobyte or two, about half of it.
const REFUSED: u64 = 1;
/// What each item of a transaction takes that is cancelled, for the same reason at least: to prepare, and to commit.
const CANCELLED: u64 = 2;

/// Has the answer to a request say what it consumed.
pub(super) fn ask(input: &mut Input) {
    macro_rules! ask {
        ($($kind:ty),*) => {
            $(if let Some(input) = input.downcast_mut::<$kind>() {
                input.return_consumed_capacity = Some(ReturnConsumedCapacity::Total);
            })*
        };
    }
    ask!(GetItemInput, BatchGetItemInput, QueryInput, PutItemInput, UpdateItemInput, DeleteItemInput);
    ask!(BatchWriteItemInput, TransactWriteItemsInput);
}

/// What an answer says of that.
pub(super) fn consumed(output: &Output) -> AwsUsage {
    macro_rules! of {
        ($units:ident: $($kind:ty),*) => {
            $(if let Some(output) = output.downcast_ref::<$kind>() {
                return $units(output.consumed_capacity());
            })*
        };
    }
    of!(read: GetItemOutput, BatchGetItemOutput, QueryOutput);
    of!(written: PutItemOutput, UpdateItemOutput, DeleteItemOutput, BatchWriteItemOutput, TransactWriteItemsOutput);
    AwsUsage::default()
}

/// What DynamoDB charges for a write that it has refused by its condition. What it refused for another reason is free.
pub(super) fn refused(error: &Error) -> AwsUsage {
    let is_refused = error.downcast_ref().is_some_and(PutItemError::is_conditional_check_failed_exception)
        || error.downcast_ref().is_some_and(UpdateItemError::is_conditional_check_failed_exception)
        || error.downcast_ref().is_some_and(DeleteItemError::is_conditional_check_failed_exception);
    let units = match error.downcast_ref() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            u64::try_from(cancelled.cancellation_reasons().len()).unwrap_or(u64::MAX).saturating_mul(CANCELLED)
        }
        _ if is_refused => REFUSED,
        _ => 0,
    };
    AwsUsage { dynamodb_write_units: units, ..AwsUsage::default() }
}

fn read<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> AwsUsage {
    let units: f64 = consumed.into_iter().filter_map(ConsumedCapacity::capacity_units).sum();
    AwsUsage { dynamodb_read_halves: whole(units * 2.0), ..AwsUsage::default() }
}

/// Of a transaction that was sent twice, the second answer says what was read for it.
fn written<'a>(consumed: impl IntoIterator<Item = &'a ConsumedCapacity>) -> AwsUsage {
    let (mut all, mut read) = (0.0, 0.0);
    for capacity in consumed {
        all += capacity.capacity_units().unwrap_or_default();
        read += capacity.read_capacity_units().unwrap_or_default();
    }
    AwsUsage { dynamodb_write_units: whole(all - read), dynamodb_read_halves: whole(read * 2.0), ..AwsUsage::default() }
}

/// A whole number of what comes as one with a fraction.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is no such number becomes the nearest that is, and none becomes 0"
)]
fn whole(units: f64) -> u64 {
    units.ceil() as u64
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::{
        error::ErrorMetadata,
        types::{
            CancellationReason,
            error::{ConditionalCheckFailedException, TransactionCanceledException, TransactionConflictException},
        },
    };

    use super::*;

    fn capacity(all: f64, read: Option<f64>) -> ConsumedCapacity {
        ConsumedCapacity::builder().capacity_units(all).set_read_capacity_units(read).build()
    }

    fn units(usage: AwsUsage) -> [u64; 2] {
        [usage.dynamodb_read_halves, usage.dynamodb_write_units]
    }

    #[test]
    fn every_request_is_asked_for() {
        macro_rules! asked {
            ($($kind:ident),*) => {
                $(
                    let mut input = Input::erase($kind::builder().build().unwrap());
                    ask(&mut input);
                    let asked = input.downcast_ref::<$kind>().unwrap().return_consumed_capacity.clone();
                    assert_eq!(asked, Some(ReturnConsumedCapacity::Total), stringify!($kind));
                )*
            };
        }
        asked!(GetItemInput, BatchGetItemInput, QueryInput, PutItemInput, UpdateItemInput, DeleteItemInput);
        asked!(BatchWriteItemInput, TransactWriteItemsInput);
    }

    #[test]
    fn answers_say_what_was_read_or_written() {
        let get = GetItemOutput::builder().consumed_capacity(capacity(0.5, None)).build();
        let batch = BatchGetItemOutput::builder().consumed_capacity(capacity(3.0, None));
        let batch = batch.consumed_capacity(capacity(1.5, None)).build();
        let query = QueryOutput::builder().consumed_capacity(capacity(2.0, None)).build();
        assert_eq!(units(consumed(&Output::erase(get))), [1, 0]);
        assert_eq!(units(consumed(&Output::erase(batch))), [9, 0]);
        assert_eq!(units(consumed(&Output::erase(query))), [4, 0]);
        let put = PutItemOutput::builder().consumed_capacity(capacity(3.0, None)).build();
        assert_eq!(units(consumed(&Output::erase(put))), [0, 3]);
        let update = UpdateItemOutput::builder().consumed_capacity(capacity(2.0, None)).build();
        assert_eq!(units(consumed(&Output::erase(update))), [0, 2]);
        let delete = DeleteItemOutput::builder().consumed_capacity(capacity(1.0, None)).build();
        assert_eq!(units(consumed(&Output::erase(delete))), [0, 1]);
        let batch = BatchWriteItemOutput::builder().consumed_capacity(capacity(25.0, None)).build();
        assert_eq!(units(consumed(&Output::erase(batch))), [0, 25]);
        let transaction = |all, read| {
            let output = TransactWriteItemsOutput::builder().consumed_capacity(capacity(all, read)).build();
            units(consumed(&Output::erase(output)))
        };
        assert_eq!((transaction(8.0, None), transaction(4.0, Some(4.0))), ([0, 8], [8, 0]));
        assert_eq!(units(consumed(&Output::erase(GetItemOutput::builder().build()))), [0, 0], "nothing is said");
    }

    #[test]
    fn what_a_condition_refused_is_charged() {
        let failed = || ConditionalCheckFailedException::builder().build();
        let put = Error::erase(PutItemError::ConditionalCheckFailedException(failed()));
        let update = Error::erase(UpdateItemError::ConditionalCheckFailedException(failed()));
        let delete = Error::erase(DeleteItemError::ConditionalCheckFailedException(failed()));
        assert_eq!([put, update, delete].map(|error| units(refused(&error))), [[0, 1]; 3]);
        let reason = || CancellationReason::builder().build();
        let cancelled = TransactionCanceledException::builder().set_cancellation_reasons(Some(vec![reason(); 3]));
        let cancelled = TransactWriteItemsError::TransactionCanceledException(cancelled.build());
        assert_eq!(units(refused(&Error::erase(cancelled))), [0, 6]);
        let busy = TransactionConflictException::builder().build();
        let busy = Error::erase(PutItemError::TransactionConflictException(busy));
        let other = Error::erase(PutItemError::generic(ErrorMetadata::builder().code("Throttled").build()));
        assert_eq!([busy, other].map(|error| units(refused(&error))), [[0, 0]; 2]);
    }

    #[test]
    fn what_is_no_number_of_units_is_one() {
        assert_eq!([0.0, 0.5, 3.0, -1.0, f64::NAN, f64::INFINITY].map(whole), [0, 1, 3, 0, 0, u64::MAX]);
    }
}

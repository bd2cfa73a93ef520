import ActionsAPI
import Foundation
import JSONText

/// A part of an answer that becomes one row.
struct AnswerRow<Value> {
    var key: RunKey
    /// Place in the array that it came in, from 0.
    var position: Int
    var value: Value
}

/// An error of the API, with what its row tells of the answer.
struct AnsweredError {
    var error: APIError
    var httpStatus: Int
    var answeredAt: Date
}

extension LoadedRun {
    /// The rows of `results`, each made when it is asked for: a large body costs no memory beside its bytes.
    var resultRows: some Sequence<AnswerRow<JSONValue>> {
        (result?.results ?? JSONElements()).lazy.enumerated()
            .map { [key = item.key] in AnswerRow(key: key, position: $0.offset, value: $0.element) }
    }

    var errorRows: some Sequence<AnswerRow<PartnerError>> {
        (result?.errors ?? []).enumerated()
            .map { AnswerRow(key: item.key, position: $0.offset, value: $0.element) }
    }

    var apiErrorRows: some Sequence<AnswerRow<AnsweredError>> {
        apiErrors.enumerated()
            .map { position, error in
                AnswerRow(
                    key: item.key, position: position,
                    value: AnsweredError(error: error, httpStatus: httpStatus ?? 0, answeredAt: answeredAt))
            }
    }
}

import ActionsAPI
import ExportCore
import Foundation
import JSONText

/// A part of an answer that becomes one row.
struct AnswerRow<Value> {
    var key: RunKey
    /// Place in the array that it came in, from 0.
    var position: Int
    var value: Value
}

/// An error of the API, with the columns of its row that describe the answer.
struct AnsweredError {
    var error: APIError
    var httpStatus: Int
    var answeredAt: Date
}

/// A row of `errors`.
enum ErrorRow {
    case single(PartnerError)
    /// The last row of a run that has more errors than rows: all that are left, so many, as one array.
    case rest(PartnerErrors, from: PartnerErrors.Index, count: Int)

    /// As it was sent; nil if that quotes the token.
    var raw: ArraySlice<UInt8>? {
        switch self {
        case .single(let error): error.value?.bytes
        case .rest(let errors, let start, _): errors.array(from: start)[...]
        }
    }
}

extension PartnerErrors {
    fileprivate var rows: [ErrorRow] {
        var rows: [ErrorRow] = []
        rows.reserveCapacity(rowCount)
        var index = startIndex
        for _ in 0..<(count - bundled) {
            rows.append(.single(self[index]))
            formIndex(after: &index)
        }
        if bundled > 0 { rows.append(.rest(self, from: index, count: bundled)) }
        return rows
    }
}

extension FetchedRun {
    /// The rows of `results`, each made when it is asked for: a large body costs no memory beside its bytes.
    var resultRows: some Collection<AnswerRow<JSONValue>> {
        (result?.results ?? JSONElements()).enumerated().lazy
            .map { [key = item.key] in AnswerRow(key: key, position: $0.offset, value: $0.element) }
    }

    var errorRows: [AnswerRow<ErrorRow>] {
        (result?.errors.rows ?? []).enumerated()
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

/// A line chart of one quantity against the size of the manifest, as SVG.
struct Chart {
    struct Line {
        var label: String
        /// Of each of `factors`.
        var values: [Double]
        /// `a` or `b`: the colour of a workload.
        var color: String
        var isDashed = false
    }

    var name: String
    var title: String
    var lines: [Line]

    /// Sizes of a manifest, against that of the workload.
    static let factors = [1, 3, 10]

    /// Those whose values were all measured.
    static func all(_ results: Results) -> [Chart] {
        func lines(_ metric: Metric, per unit: Double = 1, _ suffix: String = "", isDashed: Bool = false) -> [Line] {
            [("small", "a"), ("large", "b")].compactMap { workload, color in
                let values = factors.compactMap { factor in
                    results.median(metric, of: factor == 1 ? workload : "\(workload)×\(factor)").map { $0 / unit }
                }
                guard values.count == factors.count else { return nil }
                return Line(label: workload + suffix, values: values, color: color, isDashed: isDashed)
            }
        }
        return [
            Chart(name: "wall", title: "Wall time, s", lines: lines(.wall)),
            Chart(
                name: "cpu", title: "CPU, s",
                lines: lines(.clientCPU, " client") + lines(.serverCPU, " PostgreSQL", isDashed: true)),
            Chart(name: "memory", title: "Peak memory, MiB", lines: lines(.peak, per: 1_048_576)),
        ].filter { !$0.lines.isEmpty }
    }
}

extension Chart {
    private static let (width, height) = (480.0, 280.0)
    private static let (left, right, top, bottom) = (52.0, 340.0, 40.0, 236.0)

    var svg: String {
        let highest = Self.roundedUp(lines.flatMap(\.values).max() ?? 1)
        func y(_ value: Double) -> Double { Self.bottom - value / highest * (Self.bottom - Self.top) }
        func x(_ factor: Int) -> Double {
            let (first, last) = (Double(Self.factors[0]), Double(Self.factors.last!))
            return Self.left + (Double(factor) - first) / (last - first) * (Self.right - Self.left)
        }
        var parts = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(fixed(Self.width, 0)) \(fixed(Self.height, 0))" \
            width="\(fixed(Self.width, 0))" role="img" aria-label="\(title) against the size of the manifest">
            <style>
            text { font: 13px sans-serif; fill: #24292f } .axis { stroke: #8c959f } .grid { stroke: #8c959f; opacity: .3 }
            path { fill: none; stroke-width: 2 } .a { stroke: #0969da; fill: #0969da } .b { stroke: #bc4c00; fill: #bc4c00 }
            path.a, path.b { fill: none } text.a, text.b { stroke: none } .dashed { stroke-dasharray: 5 4 }
            @media (prefers-color-scheme: dark) { text { fill: #e6edf3 }
            .a { stroke: #58a6ff; fill: #58a6ff } .b { stroke: #f0883e; fill: #f0883e } }
            </style>
            <text x="\(fixed(Self.left, 0))" y="22">\(title)</text>
            """
        ]
        for step in 0...4 {
            let value = highest * Double(step) / 4
            parts.append(
                """
                <line class="\(step == 0 ? "axis" : "grid")" x1="\(fixed(Self.left, 0))" x2="\(fixed(Self.right, 0))" \
                y1="\(fixed(y(value), 1))" y2="\(fixed(y(value), 1))"/>
                <text x="\(fixed(Self.left - 8, 0))" y="\(fixed(y(value) + 4, 1))" text-anchor="end">\(Self.tick(value))</text>
                """)
        }
        for factor in Self.factors {
            parts.append(
                #"<text x="\#(fixed(x(factor), 1))" y="\#(fixed(Self.bottom + 20, 0))" text-anchor="middle">\#(factor) ×</text>"#
            )
        }
        parts.append(
            #"<text x="\#(fixed((Self.left + Self.right) / 2, 0))" y="\#(fixed(Self.height - 6, 0))" text-anchor="middle">runs in the manifest</text>"#
        )
        let labels = Self.apart(lines.map { y($0.values.last ?? 0) + 4 })
        for (line, label) in zip(lines, labels) {
            let points = zip(Self.factors, line.values).map { "\(fixed(x($0), 1)) \(fixed(y($1), 1))" }
            parts.append(
                """
                <path class="\(line.color)\(line.isDashed ? " dashed" : "")" d="M\(points.joined(separator: " L"))"/>
                <text class="\(line.color)" x="\(fixed(Self.right + 8, 0))" y="\(fixed(label, 1))">\(line.label)</text>
                """)
        }
        return parts.joined(separator: "\n") + "\n</svg>\n"
    }

    /// Moves labels down until none covers another.
    private static func apart(_ positions: [Double]) -> [Double] {
        var moved = positions
        var lowest = -Double.infinity
        for index in positions.indices.sorted(by: { positions[$0] < positions[$1] }) {
            moved[index] = max(positions[index], lowest + 15)
            lowest = moved[index]
        }
        return moved
    }

    /// The next of 1, 2, 4 and 8 times a power of ten: its quarters are round.
    private static func roundedUp(_ value: Double) -> Double {
        var power = 0.001
        while power * 8 < value { power *= 10 }
        return [1.0, 2, 4, 8].map { $0 * power }.first { $0 >= value } ?? value
    }

    private static func tick(_ value: Double) -> String {
        value == value.rounded() ? fixed(value, 0) : fixed(value, value * 10 == (value * 10).rounded() ? 1 : 2)
    }
}

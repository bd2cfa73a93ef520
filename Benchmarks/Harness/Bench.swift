import Glibc

/// Measures exports beside their floors, in rounds. Each round does everything once, so that other load on the machine
/// affects both sides of a ratio.
///
///     bench PROGRAMS WORK OUT.json
@main
enum Bench {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == "memcpy", arguments.count == 3, let bytes = Int(arguments[1]),
            let copies = Int(arguments[2])
        {
            return CopiedBodies.run(bytes: bytes, copies: copies)
        }
        let plan = Plan(arguments: arguments)
        var session = Session(plan: plan)
        session.run()
        let micro = MicroResults(file: plan.folder + "/Current_run.jmh.json")
        print(Table.text(session.results, session.serverLimits, micro, plan))
        write(JSONReport(session.results, session.serverLimits, micro, plan).text, to: plan.out)
        for chart in Chart.all(session.results) {
            write(chart.svg, to: plan.folder + "/\(chart.name).svg")
        }
    }
}

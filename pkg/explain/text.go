package explain

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// Style formats a word of the text by its result, for example with a color.
type Style func(result Result, word string) string

// Plain adds no formatting.
func Plain(_ Result, word string) string { return word }

// WriteWorkload writes the answer about one workload.
func WriteWorkload(w io.Writer, answer *Workload, style Style) error {
	p := &printer{style: style}
	p.line("ExternalWorkload %s/%s %s", answer.Namespace, answer.Name, placeText(answer.State.Addresses))
	for i := range answer.Answers {
		p.answer(&answer.Answers[i])
	}
	if len(answer.Answers) == 0 {
		p.line("")
		p.text.WriteString(p.style(No, "not served") + ": no Service of the namespace selects it\n")
	}
	if nearest := answer.Nearest; nearest != nil {
		p.line("The nearest is Service %s: %s", nearest.Service, nearest.Checks[0].Detail)
		p.line("Fix: %s", nearest.Checks[0].Fix)
	} else if len(answer.Answers) == 0 {
		p.line("Fix: create a Service whose selector matches the workload's labels")
	}
	p.contradictions(answer.Contradictions)
	_, err := io.WriteString(w, p.text.String())
	return err
}

func placeText(addresses []string) string {
	if len(addresses) == 0 {
		return "without an address"
	}
	return "at " + strings.Join(addresses, ", ")
}

// WriteService writes the answer about all workloads of a Service.
func WriteService(w io.Writer, answer *Service, now time.Time, style Style) error {
	p := &printer{style: style}
	p.line("Service %s/%s", answer.Namespace, answer.Name)
	if answer.Problem != "" {
		p.text.WriteString(p.style(No, "serves no workload") + ": " + clean(answer.Problem) + "\n")
	}
	if len(answer.Answers) > 0 {
		rows := [][]string{{"WORKLOAD", "ADDRESS", "READY", "AGE", "SERVED", "REASON", "DETAIL"}}
		for i := range answer.Answers {
			rows = append(rows, serviceRow(&answer.Answers[i], &answer.States[i], now))
		}
		p.table(rows)
		p.line("%d of %d served%s", answer.Served, len(answer.Answers), counts(answer.Answers))
	}
	p.limits(answer.Limits)
	p.contradictions(answer.Contradictions)
	_, err := io.WriteString(w, p.text.String())
	return err
}

func serviceRow(a *Answer, s *State, now time.Time) []string {
	since, detail := "", ""
	if s.Since != nil {
		since = age(*s.Since, now)
	}
	if cause := a.Cause(); cause != nil {
		detail = cause.Detail
	}
	return []string{a.Workload, strings.Join(s.Addresses, ","), s.Ready, since, yesNo(a.Served), a.Reason(), detail}
}

// counts lists how many workloads are not served for each reason.
func counts(answers []Answer) string {
	var order []string
	number := map[string]int{}
	for i := range answers {
		if answers[i].Served {
			continue
		}
		reason := answers[i].Reason()
		if number[reason] == 0 {
			order = append(order, reason)
		}
		number[reason]++
	}
	text := ""
	for _, reason := range order {
		text += fmt.Sprintf(", %d %s", number[reason], reason)
	}
	return text
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

type printer struct {
	text  strings.Builder
	style Style
}

func (p *printer) line(format string, arguments ...any) {
	p.text.WriteString(fmt.Sprintf(format, printable(arguments)...) + "\n")
}

// printable replaces control characters, which a terminal would interpret: other users
// write the objects.
func printable(arguments []any) []any {
	safe := make([]any, len(arguments))
	for i, argument := range arguments {
		if text, is := argument.(string); is {
			argument = clean(text)
		}
		safe[i] = argument
	}
	return safe
}

func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

func (p *printer) answer(a *Answer) {
	p.text.WriteString("\n")
	result := p.style(No, "not served")
	if a.Served {
		result = p.style(OK, "served")
	}
	fmt.Fprintf(&p.text, "Service %s: %s\n", clean(a.Service), result)
	for i := range a.Checks {
		c := &a.Checks[i]
		name := c.Name
		if c.Family != "" {
			name += " " + string(c.Family)
		}
		fmt.Fprintf(&p.text, "  %s  %-14s  %s\n", p.style(c.Result, fmt.Sprintf("%-4s", c.Result)), name, clean(c.Detail))
	}
	p.limits(a.Limits)
	if cause := a.Cause(); cause != nil {
		if cause.Fix != "" {
			p.line("  Fix: %s", cause.Fix)
		} else if cause.Result == Wait {
			p.line("  Fix: wait a moment; the controller is about to write it")
		}
	}
}

func (p *printer) limits(limits []Limit) {
	for _, limit := range limits {
		fmt.Fprintf(&p.text, "  %s  %s: %s\n", p.style(Note, fmt.Sprintf("%-4s", Note)), clean(limit.Name), clean(limit.Detail))
	}
}

func (p *printer) contradictions(contradictions []string) {
	if len(contradictions) == 0 {
		return
	}
	p.text.WriteString("\n")
	for _, contradiction := range contradictions {
		p.line("Note: %s", contradiction)
	}
}

// table writes rows as columns.
func (p *printer) table(rows [][]string) {
	w := tabwriter.NewWriter(&p.text, 0, 8, 3, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
		}
		// Writing to a strings.Builder never fails.
		_, _ = fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	_ = w.Flush()
}

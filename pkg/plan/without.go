package plan

// Without is the plan without the writes that leaveOut names. Writes that wait
// for one of them do not wait for it any more.
func (p *Plan) Without(leaveOut func(*Write) bool) Plan {
	rest := Plan{Waiting: p.Waiting, StepsLeft: p.StepsLeft}
	at := make([]int, len(p.Writes)) // where each write is in the rest, or -1
	for i := range p.Writes {
		at[i] = -1
		if leaveOut(&p.Writes[i]) {
			continue
		}
		at[i] = len(rest.Writes)
		w := p.Writes[i]
		w.After = nil
		for _, earlier := range p.Writes[i].After {
			if at[earlier] >= 0 {
				w.After = append(w.After, at[earlier])
			}
		}
		rest.Writes = append(rest.Writes, w)
	}
	return rest
}
